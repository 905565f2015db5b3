"""Origin servers: where they are, connections to them and the pool that keeps these."""
