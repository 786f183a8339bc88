"""Command line: the nodes' work, for people and scripts without ComfyUI."""
