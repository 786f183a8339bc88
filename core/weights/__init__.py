"""Weight files: found or fetched, told apart, read without executing anything, built into networks, converted."""
