"""Listening sockets, non-blocking byte streams, deadlines."""
