"""What the keys 1 to 6 show, and one prediction's life."""
