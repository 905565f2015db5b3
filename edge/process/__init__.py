"""Supervisor, keeper and workers, the channels between them, and `build`, which knows all parts."""
