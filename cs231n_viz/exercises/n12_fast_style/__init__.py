"""Exercises of notebook 12: style transfer in one forward pass."""
