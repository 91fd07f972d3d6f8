"""The order of steps; the only code that reads and then writes the lake."""

from qiaomen.jobs.observer import Observer, silent
from qiaomen.jobs.workspace import Workspace, init_workspace

__all__ = ["Observer", "Workspace", "init_workspace", "silent"]
