"""Rewrites of loaded networks for speed, precision and independence of the batch; knows no architecture."""
