"""The driver: frames in, retargeted motion, frames out. Knows no architecture by name."""
