"""The pages for people, one file a page: rendered on the server, usable without JavaScript."""
