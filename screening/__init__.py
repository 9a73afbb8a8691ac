"""The library: one module per word of the flow, from the archive to the report."""
