"""Shared foundations: errors, recipes, files, boxes, crop specs, provenance. No torch, no cv2."""
