"""What edge says: log lines, the access log, progress on a terminal."""
