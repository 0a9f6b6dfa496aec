"""Manifests, layouts, lists, splits, transforms and the data set of crops."""
