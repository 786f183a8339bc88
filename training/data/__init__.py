"""Data sets of videos: their layouts, the reading of single frames, augmentation, and preparation."""
