"""Face landmarks; knows no architecture."""
