"""RECCE, end-to-end reconstruction-classification learning (CVPR 2022)."""
