"""Exercises of notebook 02: does the last layer know meaning?"""
