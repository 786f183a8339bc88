"""Weight files: finding, downloading, identifying, safe reading, building of networks, and conversion."""
