"""Training of each stage with Ray Train, and export of a bundle."""
