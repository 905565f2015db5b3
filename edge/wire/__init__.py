"""Sans-I/O protocol engines: bytes in, events out. They own no socket and no clock."""
