"""Manifests of labelled radiographs, their decoded images, and what each stage learns from."""
