"""The order of steps; the only code that reads and then writes the lake."""

from qiaomen.jobs.backup import BackupReport, back_up, restore
from qiaomen.jobs.demo import init_demo
from qiaomen.jobs.dispatching import (
    HandRequest,
    Selection,
    chosen_firms,
    chosen_leads,
    confirm_leads,
    hand_leads,
    plan_selection,
)
from qiaomen.jobs.handing import make_hand_over, preview_hand_over, publish_keepers
from qiaomen.jobs.hashing import full_hashes, result_hashes
from qiaomen.jobs.lists import (
    apply_customer_list,
    customer_list_source,
    try_customer_list,
    undo_customer_list,
)
from qiaomen.jobs.loading import LoadReport, load_files
from qiaomen.jobs.measures import Measures, check_stores, measure
from qiaomen.jobs.observer import Observer, silent
from qiaomen.jobs.pushed import CHANNELS, LARGEST_BATCH, PushReceipt, Refused, receive_pushed
from qiaomen.jobs.retaining import Deletion, delete_past, retention_of
from qiaomen.jobs.run_record import ask_run
from qiaomen.jobs.running import RUN_STEPS, RunReport, last_report, run_all
from qiaomen.jobs.tables import LOADED_TABLES, TABLES, data_model_page
from qiaomen.jobs.upgrading import UpgradeReport, upgrade, usual_backup
from qiaomen.jobs.viewing import command_line_viewer, note_look
from qiaomen.jobs.working import work_forever
from qiaomen.jobs.workspace import Workspace, init_workspace

__all__ = [
    "CHANNELS",
    "LARGEST_BATCH",
    "LOADED_TABLES",
    "RUN_STEPS",
    "TABLES",
    "BackupReport",
    "Deletion",
    "HandRequest",
    "LoadReport",
    "Measures",
    "Observer",
    "PushReceipt",
    "Refused",
    "RunReport",
    "Selection",
    "UpgradeReport",
    "Workspace",
    "apply_customer_list",
    "ask_run",
    "back_up",
    "check_stores",
    "chosen_firms",
    "chosen_leads",
    "command_line_viewer",
    "confirm_leads",
    "customer_list_source",
    "data_model_page",
    "delete_past",
    "full_hashes",
    "hand_leads",
    "init_demo",
    "init_workspace",
    "last_report",
    "load_files",
    "make_hand_over",
    "measure",
    "note_look",
    "plan_selection",
    "preview_hand_over",
    "publish_keepers",
    "receive_pushed",
    "restore",
    "result_hashes",
    "retention_of",
    "run_all",
    "silent",
    "try_customer_list",
    "undo_customer_list",
    "upgrade",
    "usual_backup",
    "work_forever",
]
