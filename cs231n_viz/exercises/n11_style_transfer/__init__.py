"""Exercises of notebook 11: content of one image, style of another."""
