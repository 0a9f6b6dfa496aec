"""Videos and pictures into face crops and a manifest."""
