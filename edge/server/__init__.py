"""Visitors: listeners and connections that turn bytes into exchanges."""
