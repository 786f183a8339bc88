"""Video and picture files, read and written through PyAV and Pillow."""
