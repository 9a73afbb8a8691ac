"""The Ray Serve application that scores on demand."""
