"""What is known about faces; knows no architecture."""
