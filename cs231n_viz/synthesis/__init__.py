"""Pictures made by gradient ascent: class visualization, facets, fooling images, DeepDream, feature inversion.

``ascent`` is their loop; ``parameterisation``, ``objectives``, ``regularisers``, ``views`` are its parts.
"""
