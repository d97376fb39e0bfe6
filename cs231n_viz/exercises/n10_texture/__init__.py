"""Exercises of notebook 10: what is a texture?"""
