"""What loads a server: wrk for HTTP/1.1, h2load for HTTP/2 and for fixed rates, and our own client for handshakes."""
