"""The soak command and its judgement."""
