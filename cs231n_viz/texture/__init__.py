"""Textures from a sample: pixel by pixel (Efros–Leung), block by block (quilting), and by Gram matrices (Gatys)."""
