"""What `screening benchmark` measures."""
