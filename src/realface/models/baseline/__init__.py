"""A plain classifier on any image network of timm: what RECCE is measured against."""
