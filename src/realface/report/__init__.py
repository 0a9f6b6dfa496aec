"""Evaluations as one HTML page."""
