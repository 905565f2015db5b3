"""What is measured: one module for each kind of measurement; `benchmarks.run` calls them in the order of the report."""
