"""Prepare videos and images: face crops and a manifest."""
