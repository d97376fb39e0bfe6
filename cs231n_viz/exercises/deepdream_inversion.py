"""Exercises of notebook 09: DeepDream and feature inversion."""

from cs231n_viz.exercises import dreaming, inverting

ENTRIES = [*dreaming.ENTRIES, *inverting.ENTRIES]
