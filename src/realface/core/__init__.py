"""What everything else stands on: errors, recipes, files, boxes, crop specs, provenance. No torch, no cv2."""
