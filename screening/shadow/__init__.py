"""A shadow run: a candidate judges a sample of the archive beside the bundle that judges, and changes nothing."""
