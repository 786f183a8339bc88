"""Face parsing: BiSeNet (Yu et al., ECCV 2018), trained on CelebAMask-HQ's nineteen classes."""
