"""Files made to exhaust the machine: seconds and peak memory until ``qiaomen load`` has refused each.

    python -m benchmarks.bombs

The whole command is measured, the start of the interpreter included; compiled modules are cached, as Python does after the
first start (``PYTHONDONTWRITEBYTECODE`` would double it). Ends with an error where one is not refused.
"""

from __future__ import annotations

import gzip
import io
import itertools
import os
import struct
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import xlsxwriter

SHEET = "xl/worksheets/sheet1.xml"
HEAD = b"<worksheet><sheetData>"
TAIL = b"</sheetData></worksheet>"
CELL = b'<row r="1"><c r="A1"><v>'
GOAL = "2 s, 300 MB"


def workbook(path: Path, parts: dict[str, Iterable[bytes]]) -> None:
    """Write a workbook of one cell in which some parts are replaced or added.

    Parts come in pieces: a child's peak memory, as the kernel counts it, begins with that of this process.
    """
    source = io.BytesIO()
    with xlsxwriter.Workbook(source) as book:
        book.add_worksheet().write_row(0, 0, ["企业名称"])
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.infolist():
            if entry.filename not in parts:
                new.writestr(entry.filename, old.read(entry))
        for name, content in parts.items():
            with new.open(name, "w") as part:
                for piece in content:
                    part.write(piece)


def large_sheet(path: Path) -> None:
    """One cell of a gigabyte."""
    workbook(path, {SHEET: itertools.chain([HEAD, CELL], itertools.repeat(b"0" * (1 << 20), 1 << 10))})


def lying_directory(path: Path) -> None:
    """A gigabyte whose directory entry says a thousand bytes."""
    large_sheet(path)
    whole = bytearray(path.read_bytes())
    place = whole.rfind(SHEET.encode())
    # The size before packing stands 22 bytes before the name in the central directory.
    whole[place - 22 : place - 18] = struct.pack("<I", 1000)
    path.write_bytes(whole)


def far_corner(path: Path) -> None:
    """Two cells, one in the last row of the last column."""
    corner = b'</v></c></row><row r="1048576"><c r="XFD1048576"><v>1</v></c></row>'
    workbook(path, {SHEET: [HEAD, CELL, b"1", corner, TAIL]})


def entities(path: Path) -> None:
    """Shared strings of nested entities, ten to the ninth copies of a word."""
    names = "abcdefghij"
    rules = '<!ENTITY a "lol">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in itertools.pairwise(names)
    )
    strings = f'<?xml version="1.0"?><!DOCTYPE sst [{rules}]><sst count="1" uniqueCount="1"><si><t>&j;</t></si></sst>'
    workbook(path, {"xl/sharedStrings.xml": [strings.encode()]})


def many_parts(path: Path) -> None:
    """A hundred thousand empty parts."""
    workbook(path, {f"xl/media/{number}": () for number in range(100_000)})


def packed_line(path: Path) -> None:
    """A packed CSV with one line of two gigabytes."""
    with gzip.open(path, "wb", compresslevel=9) as file:
        file.write("企业名称\n".encode())
        for _ in range(2048):
            file.write(b"0" * (1 << 20))


BOMBS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "a sheet of 1 GB": ("customers_sheet.xlsx", large_sheet),
    "a sheet of 1 GB whose directory says 1 kB": ("customers_lying.xlsx", lying_directory),
    "a cell in the farthest corner": ("customers_corner.xlsx", far_corner),
    "nested entities, 10^9 words": ("customers_entities.xlsx", entities),
    "100,000 parts": ("customers_parts.xlsx", many_parts),
    "a packed CSV, one line of 2 GB": ("customers_line.csv.gz", packed_line),
}


def environment(cache: Path) -> dict[str, str]:
    """Return the environment of a usual start: compiled modules are kept in ``cache``."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return kept | {"PYTHONPYCACHEPREFIX": str(cache)}


def load(workspace: Path, path: Path, around: dict[str, str]) -> tuple[int, float, float, str]:
    """Load a file in a process of its own; return exit code, seconds, peak MB and the last line that it said."""
    said = path.with_suffix(".out")
    command = [sys.executable, "-m", "qiaomen", "--workspace", str(workspace), "load", "customers", str(path)]
    started = time.perf_counter()
    with said.open("wb") as out:
        pid = os.posix_spawn(
            command[0],
            command,
            around,
            file_actions=[
                (os.POSIX_SPAWN_DUP2, out.fileno(), 1),
                (os.POSIX_SPAWN_DUP2, out.fileno(), 2),
            ],
        )
        _, status, usage = os.wait4(pid, 0)
    seconds = time.perf_counter() - started
    lines = said.read_text(encoding="utf-8").strip().splitlines()
    return os.waitstatus_to_exitcode(status), seconds, usage.ru_maxrss / 1024, " ".join(lines)


def main() -> None:
    """Make each file, load it, print the table."""
    print(f"| file | seconds | peak MB | (goal {GOAL}) |\n| --- | ---: | ---: | --- |")
    wrong = False
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        workspace = folder / "bank"
        os.spawnv(
            os.P_WAIT,
            sys.executable,
            [sys.executable, "-m", "qiaomen", "--workspace", str(workspace), "init"],
        )
        around = environment(folder / "compiled")
        first = folder / "customers_first.xlsx"
        first.write_bytes(b"no workbook")
        load(workspace, first, around)
        for what, (file, make) in BOMBS.items():
            path = folder / file
            make(path)
            code, seconds, peak, said = load(workspace, path, around)
            wrong |= code != 2
            print(f"| {what} | {seconds:.1f} | {peak:.0f} | exit {code}: {said[:160]} |", flush=True)
            path.unlink()
    sys.exit(wrong)


if __name__ == "__main__":
    main()
