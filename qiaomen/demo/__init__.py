"""Writes a made-up city's input files and its known answers, seeded. Every company, person and amount is invented."""

from qiaomen.demo.city import DEMO_AS_OF, SEED, Size
from qiaomen.demo.writing import write_demo

__all__ = ["DEMO_AS_OF", "SEED", "Size", "write_demo"]
