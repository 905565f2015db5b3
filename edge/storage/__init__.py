"""Keys to bytes with locks: the contract, and behind it the file system or a server that several machines share."""
