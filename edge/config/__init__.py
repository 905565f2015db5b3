"""What the operator asked for: frozen values, and the one place that reads them from flags and files."""
