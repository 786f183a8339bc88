"""Weights: where they are, what they are, and how they are read without executing anything."""
