"""Training of the pack's networks; nothing else in the pack imports this."""
