"""Pictures made by gradient ascent: class visualization, facets, fooling images, DeepDream, feature inversion.

``ascent`` is the loop of all; ``parameterisation``, ``objectives``, ``regularisers`` and ``views`` are its parts.
"""
