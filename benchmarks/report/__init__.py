"""From results to what people read: one JSON file, one page with tables, a few plots. All of it pure text making."""
