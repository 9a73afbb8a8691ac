"""The results folder: its names, parts and manifests, and DuckDB over them."""
