"""Occlusion's engine: computes only the activations that a change in a small box can reach."""
