"""Matches a dirty list against 1.2 M made-up names, and the same rows by RapidFuzz alone, in one run.

Usage: ``python -m benchmarks.matching_scale [--companies 1200000] [--rows 10000] [--seed 20]``. The peer scores every
registered name (``fuzz.ratio``, two cores) for a part of the rows, and takes the best where it is at or above the score that
gives the precision of ours on those rows, or the highest precision there is. CPU seconds are of the whole process.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.made_registry import MadeCase, made_case
from benchmarks.matching import customers, report
from qiaomen.registry import Matcher, match_customers, normalise_name
from qiaomen.registry.case_files import open_index

PEER_ROWS = 300


def write_case(case: MadeCase, folder: Path) -> Path:
    """Write the registry as a file and return its path."""
    path = folder / "registry.parquet"
    table = pa.table({"rid": list(range(len(case.names))), "name": case.names, "uscc": case.codes})
    pq.write_table(table, path)
    return path


def build(registry: Path, kept: Path) -> tuple[float, int]:
    """Build and keep the index; return CPU seconds and the peak in MB of this process."""
    start = time.process_time()
    open_index(registry, None, kept)
    return time.process_time() - start, _peak()


def ours(case: MadeCase, matcher: Matcher, *, codes: bool) -> None:
    """Print the figures of all rows, with or without their codes."""
    given = customers([row[0] for row in case.customers], [row[1] if codes else "" for row in case.customers])
    start = time.process_time()
    matched = match_customers(given, matcher).to_pylist()
    seconds = time.process_time() - start
    figures = report(matched, [row[2] for row in case.customers])
    print("codes as given" if codes else "codes blanked", figures, "CPU s", round(seconds, 1), flush=True)


def peer(case: MadeCase, rows: int) -> None:
    """Print what the best equal ratio over all names finds: recall at the threshold with precision 99.5 %."""
    from rapidfuzz import fuzz, process

    start = time.process_time()
    choices = [normalise_name(name) for name in case.names]
    chosen = case.customers[:rows]
    best: list[tuple[float, bool]] = []
    for part in range(0, len(chosen), 50):
        asked = [normalise_name(row[0]) for row in chosen[part : part + 50]]
        scores = process.cdist(asked, choices, scorer=fuzz.ratio, workers=2, dtype=np.uint8)
        for row, line in zip(chosen[part : part + 50], scores, strict=True):
            place = int(line.argmax())
            best.append((float(line[place]), place == row[2]))
    seconds = time.process_time() - start
    there = sum(row[2] >= 0 for row in chosen)
    print("rapidfuzz, no codes", at_precision(best, there), "rows", rows, "CPU s", round(seconds, 1))


def at_precision(best: list[tuple[float, bool]], there: int, goal: float = 0.995) -> dict[str, Any]:
    """Return score, precision and recall of the lowest threshold with at least ``goal``; else of the most precise one."""
    found = []
    for limit in sorted({score for score, _ in best}):
        taken = [hit for score, hit in best if score >= limit]
        found.append((sum(taken) / len(taken), sum(taken) / max(there, 1), limit))
    enough = [item for item in found if item[0] >= goal]
    precision, recall, limit = max(enough, key=lambda item: item[1]) if enough else max(found)
    return {"threshold": limit, "precision": round(precision, 4), "recall": round(recall, 4)}


def main() -> None:
    """Run the measurement."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--companies", type=int, default=1_200_000)
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=20)
    options = parser.parse_args()
    case = made_case(options.companies, options.rows, options.seed)
    print("made", len(case.names), "names, peak MB", _peak(), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        registry = write_case(case, Path(folder))
        kept = Path(folder) / "index"
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            seconds, peak = pool.submit(build, registry, kept).result()
        print("index CPU s", round(seconds, 1), "peak MB", peak, flush=True)
        matcher, _, names, reused = open_index(registry, None, kept)
        print("opened", names, "names, kept index used:", reused, flush=True)
        matcher.nearest(["预热"])
        for codes in (True, False):
            ours(case, matcher, codes=codes)
        print("peak MB", _peak(), flush=True)
        peer(case, min(PEER_ROWS, options.rows))


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10


if __name__ == "__main__":
    main()
