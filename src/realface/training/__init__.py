"""Train a detector: from a recipe to an artifact."""
