"""The results as SQL views, and the answers made of them."""
