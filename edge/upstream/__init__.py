"""Origins: addresses, the keep-alive pool and the connections in it."""
