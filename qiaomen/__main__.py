"""``python -m qiaomen`` is the command line."""

from qiaomen.cli import main

main()
