"""The library: one package per word of the flow, from the archive to the report."""
