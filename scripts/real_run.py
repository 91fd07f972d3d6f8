"""Carries out the real run and writes docs/real-run.md.

Reads the folder that QIAOMEN_REAL_DATA names. Usage: python scripts/real_run.py [--workspace DIR] [--page FILE]; the
workspace is thrown away unless it is named.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    """Run, print the figures, write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workspace", type=Path)
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "real-run.md")
    given = parser.parse_args()
    data = os.environ.get("QIAOMEN_REAL_DATA")
    if not data:
        print("QIAOMEN_REAL_DATA is not set: it must name the folder of the real data", file=sys.stderr)
        return 2
    if given.workspace is not None:
        return _write(Path(data), given.workspace, given.page)
    with tempfile.TemporaryDirectory(prefix="qiaomen-real-") as folder:
        return _write(Path(data), Path(folder), given.page)


def _write(data: Path, workspace: Path, page: Path) -> int:
    sys.path.insert(0, str(ROOT))
    from tests.real.figures import all_figures, loads
    from tests.real.page import write_page
    from tests.real.real_run import carry_out

    # Seconds mean little on a busy machine: say how busy it was.
    busy = round(os.getloadavg()[0], 1)
    run = carry_out(data, workspace)
    costs = [
        ("load, seconds", round(run.load_seconds)),
        ("run, seconds", round(run.run_seconds)),
        ("largest resident size, MB", run.peak_mb),
        ("load of the machine before, processes", busy),
    ]
    text = write_page(loads(run.workspace.lake.snapshot()), all_figures(data, run.workspace), costs)
    page.write_text(text, encoding="utf-8")
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
