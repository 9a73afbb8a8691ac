"""Every object under a URL as a row of the index, and the bytes of any row."""
