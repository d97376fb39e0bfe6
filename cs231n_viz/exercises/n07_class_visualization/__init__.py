"""Exercises of notebook 07: what would excite a neuron most?"""
