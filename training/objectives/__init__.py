"""Losses of one training step, by architecture."""
