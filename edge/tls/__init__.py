"""Server name to certificate: the ClientHello reader, contexts and the selector."""
