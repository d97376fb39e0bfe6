"""Exercises of notebook 03: what does a unit respond to?"""
