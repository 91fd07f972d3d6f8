"""Warmth, paths from prospect to customer, introductions, wording, drawing.

``reach_all`` gives the table ``reach`` for every company in one pass. ``prepare`` prices a graph once; ``find_paths``
and ``word_introductions`` answer from that, ``conceal_path`` and ``conceal_introductions`` show the answers to a viewer,
``layout_paths`` places them for drawing.
"""

from qiaomen.reach.introductions import Surroundings, word_introductions
from qiaomen.reach.layout import LaidEdge, LaidNode, Layout, layout_paths
from qiaomen.reach.masking import Concealment, conceal_introductions, conceal_path, concealment
from qiaomen.reach.nearness import nearness, reach_all
from qiaomen.reach.paths import Hop, Path, PathNode, find_paths, from_record, to_record
from qiaomen.reach.pricing import Reaching, prepare
from qiaomen.reach.statements import Statements
from qiaomen.reach.tables import INTRODUCTIONS, REACH
from qiaomen.reach.warmth import Warmth, WarmthRow, load_warmth
from qiaomen.reach.wording import Wording, WordingRow, explain, load_wording, word_path

__all__ = [
    "INTRODUCTIONS",
    "REACH",
    "Concealment",
    "Hop",
    "LaidEdge",
    "LaidNode",
    "Layout",
    "Path",
    "PathNode",
    "Reaching",
    "Statements",
    "Surroundings",
    "Warmth",
    "WarmthRow",
    "Wording",
    "WordingRow",
    "conceal_introductions",
    "conceal_path",
    "concealment",
    "explain",
    "find_paths",
    "from_record",
    "layout_paths",
    "load_warmth",
    "load_wording",
    "nearness",
    "prepare",
    "reach_all",
    "to_record",
    "word_introductions",
    "word_path",
]
