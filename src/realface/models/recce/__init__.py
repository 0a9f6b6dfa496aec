"""RECCE: detect fakes by the errors of a decoder that learnt to reconstruct real faces (CVPR 2022)."""
