"""Shapes and their clouds of points: how they are decoded, sampled and brought to one size, and what happens to a cloud."""
