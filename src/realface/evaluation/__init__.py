"""An artifact and a manifest into a score table and its numbers."""
