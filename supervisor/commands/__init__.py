"""One file a family of commands; each command imports what it needs when it runs."""
