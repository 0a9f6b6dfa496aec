"""Reading and writing of images and videos; no torch."""
