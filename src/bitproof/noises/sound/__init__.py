"""Recordings: how they are decoded, resampled and turned into features, clean and otherwise, and what happens to a wave."""
