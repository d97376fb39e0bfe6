"""Pictures made by gradient ascent: class visualization, facets, fooling images, DeepDream, feature inversion."""
