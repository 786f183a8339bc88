"""Layers, types and errors that every architecture shares. Imports nothing else of the pack."""
