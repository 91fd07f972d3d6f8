"""Benchmarks: `make bench` runs `__main__`; single ones run as `python -m benchmarks.<name>`."""
