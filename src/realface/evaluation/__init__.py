"""Evaluate an artifact on manifests: a score table and its numbers."""
