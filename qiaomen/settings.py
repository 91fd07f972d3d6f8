"""Settings: frozen, read once at entry. Replaced soon by the full reader."""
