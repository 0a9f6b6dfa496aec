"""RECCE: learn to reconstruct real faces; what cannot be reconstructed was forged (CVPR 2022)."""
