"""Training of the pack's networks; only the command line imports this."""
