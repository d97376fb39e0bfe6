"""Exercises of notebook 00: what does a convolution layer compute?"""
