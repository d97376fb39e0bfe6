"""Explorers of notebook 11: content of one, style of another."""
