"""Keys to bytes with locks: the contract and the file system behind it."""
