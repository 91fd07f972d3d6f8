"""Commands of a few lines. ``main`` is the console entry: one JSON document or a table out, errors as exit 1 or 2."""

from qiaomen.cli.entry import main

__all__ = ["main"]
