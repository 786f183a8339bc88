"""Face detectors of other packages, one file each; none is imported or read before it is used."""
