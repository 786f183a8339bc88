"""Live: a camera drives a picture, through a page that this package serves or writes as a site of files."""
