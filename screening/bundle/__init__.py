"""Bundles: checked without torch, loaded and written with it."""
