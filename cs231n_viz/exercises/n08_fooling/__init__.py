"""Exercises of notebook 08: how little does it take?"""
