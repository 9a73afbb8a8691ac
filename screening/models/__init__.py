"""The networks, as plain torch modules whose forward returns logits."""
