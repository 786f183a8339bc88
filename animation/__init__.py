"""Driver of every architecture: frames in, retargeted motion, frames out. Knows none by name, but for `registry`."""
