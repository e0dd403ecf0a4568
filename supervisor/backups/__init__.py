"""Backups of the library: made, checked, listed, thinned out, copied elsewhere."""
