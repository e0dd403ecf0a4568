"""Benches: measured runs against the real roles."""
