"""The order of steps; the only code that reads and then writes the lake."""

from qiaomen.jobs.demo import init_demo
from qiaomen.jobs.loading import LoadReport, load_files
from qiaomen.jobs.observer import Observer, silent
from qiaomen.jobs.tables import LOADED_TABLES, TABLES, data_model_page
from qiaomen.jobs.workspace import Workspace, init_workspace

__all__ = [
    "LOADED_TABLES",
    "TABLES",
    "LoadReport",
    "Observer",
    "Workspace",
    "data_model_page",
    "init_demo",
    "init_workspace",
    "load_files",
    "silent",
]
