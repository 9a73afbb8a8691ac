"""Synthetic radiographs with a known answer, and archives of them."""
