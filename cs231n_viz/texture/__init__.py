"""Textures: Efros-Leung, image quilting, and neural synthesis from Gram matrices."""
