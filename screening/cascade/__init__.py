"""The three stages on one device in one process, and what explains their answers."""
