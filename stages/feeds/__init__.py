"""Feeds: from bytes to entries."""
