"""Exercises of notebook 05: where is the evidence?"""
