"""How claims move in memory: mailboxes, dispatcher, actors, leases."""
