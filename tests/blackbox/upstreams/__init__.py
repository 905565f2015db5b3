"""Real application servers behind edge: who they are, what is asked of them, and what is known to come out."""
