"""Training of the three stages with Ray Train, from a manifest of labelled radiographs to a bundle."""
