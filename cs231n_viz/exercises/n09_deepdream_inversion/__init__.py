"""Exercises of notebook 09: what is kept in the features?"""
