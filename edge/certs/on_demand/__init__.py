"""Certificates for names that no site lists: which names, who allows them, how many, and the pool that holds them."""
