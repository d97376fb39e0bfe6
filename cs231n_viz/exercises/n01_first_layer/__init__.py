"""Exercises of notebook 01: what do the first filters look for?"""
