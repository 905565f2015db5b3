"""edge as its users see it: the real command, real sockets, real peers."""
