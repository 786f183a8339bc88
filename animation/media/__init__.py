"""Video and picture files, read and written through PyAV, imageio and Pillow."""
