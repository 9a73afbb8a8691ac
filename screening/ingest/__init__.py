"""From the bytes of one file to pixels and columns, or to a refusal with its reason."""
