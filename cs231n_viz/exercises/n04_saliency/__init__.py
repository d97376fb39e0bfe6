"""Exercises of notebook 04: which pixels matter?"""
