"""Writes a made-up city's input files and its known answers, seeded."""
