"""One script per version, numbered in order."""
