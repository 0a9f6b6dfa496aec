"""RFFR: a masked autoencoder learns real faces and inpaints a face block by block; the residual reveals fakes."""
