"""Explorers of notebook 12: style in one forward pass."""
