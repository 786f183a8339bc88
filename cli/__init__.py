"""The command line: what the nodes do, for people and scripts without ComfyUI."""
