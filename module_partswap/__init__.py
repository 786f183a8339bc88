"""Part Swap: Motion Supervised Co-Part Segmentation (Siarohin, Roy, Lathuilière, Tulyakov, Ricci, Sebe, 2020)."""
