"""Bundled network: a very narrow FOMM with additions that keep it sharp on drawn faces."""
