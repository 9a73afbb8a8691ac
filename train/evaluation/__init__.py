"""How well a trained bundle does, measured through the very cascade that screens, and what it may have learnt instead of disease."""
