"""Building blocks of the papers' networks; where the papers differ, the difference is an argument."""
