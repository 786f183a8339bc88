"""Live animation: a camera drives a picture, from a server on this machine or in a browser alone."""
