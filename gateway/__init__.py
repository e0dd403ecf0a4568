"""How people and programs talk to Atlas: the HTTP API, the pages, and what guards both."""
