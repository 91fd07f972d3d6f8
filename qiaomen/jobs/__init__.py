"""The order of steps; the only code that reads and then writes the lake."""
