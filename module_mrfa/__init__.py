"""MRFA: Learning Motion Refinement for Unsupervised Face Animation (Tao, Gu, Li, Duan, NeurIPS 2023)."""
