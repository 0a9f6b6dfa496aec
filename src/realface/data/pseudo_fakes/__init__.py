"""Pseudo-fakes: fakes made from real faces, one file per kind, with their masks."""
