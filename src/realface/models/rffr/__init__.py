"""RFFR: a masked autoencoder learns real faces, inpaints a face block by block, and the residual tells fakes."""
