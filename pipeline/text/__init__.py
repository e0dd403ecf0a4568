"""Pure functions on text: URLs, sanitising, the search language, snippets."""
