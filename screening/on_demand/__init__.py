"""One radiograph, or a few, asked about now: the same ingest and the same cascade as the night's, without Ray and without results."""
