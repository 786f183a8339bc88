"""Judgement of models: reconstruction of unseen videos, and transfer between drawn faces, where the truth is known."""
