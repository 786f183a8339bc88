"""Motion under control: its strength, its smoothness, files of it, and mixtures; knows poses, not networks."""
