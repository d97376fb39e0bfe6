"""Exercises of notebook 06: who gets the credit?"""
