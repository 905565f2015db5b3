"""The benchmark suite's pure parts, and one short run of it that guards edge's speed."""
