"""Motion Representations for Articulated Animation (Siarohin, Woodford, Ren, Chai, Tulyakov; CVPR 2021)."""
