"""FSRT: Facial Scene Representation Transformer (Rochow, Schwarz and Behnke, CVPR 2024)."""
