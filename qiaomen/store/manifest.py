"""Numbered manifests: which files make up one generation of the lake. Reads and writes ``manifest/<gen>.json``."""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from qiaomen.store.disk import disk_errors, make_folder, sync_folder
from qiaomen.vocab import Conflict, Unavailable

FORMAT: Final = 1
_DIGITS: Final = 12


@dataclass(frozen=True, slots=True)
class TableFiles:
    """Files of one table, relative to the lake, with their rows and the hash of their schema."""

    files: tuple[str, ...]
    rows: int
    schema: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """One generation. Number 0 is the empty lake and has no file."""

    number: int = 0
    tables: Mapping[str, TableFiles] = field(default_factory=dict)
    arrays: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    note: Mapping[str, Any] = field(default_factory=dict)

    def paths(self) -> set[str]:
        """Return every file the generation needs, relative to the lake."""
        files = {file for entry in self.tables.values() for file in entry.files}
        return files | {file for entry in self.arrays.values() for file in entry.values()}


def schema_hash(schema: pa.Schema) -> str:
    """Return a hash of column names and types."""
    text = ";".join(f"{column.name}:{column.type}" for column in schema)
    return hashlib.sha256(text.encode()).hexdigest()


def _path(folder: Path, number: int) -> Path:
    return folder / f"{number:0{_DIGITS}d}.json"


def relative_path(number: int) -> str:
    """Return the place of a generation's manifest within the lake."""
    return f"manifest/{_path(Path(), number)}"


def numbers(folder: Path) -> list[int]:
    """Return the generations on disk, ascending."""
    try:
        names = [path.name for path in folder.iterdir()]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise Unavailable(
            f"数据清单目录不可读（{error.strerror}）", where=str(folder), remedy="检查目录权限"
        ) from error
    stems = [name.removesuffix(".json") for name in names if name.endswith(".json")]
    return sorted(int(stem) for stem in stems if stem.isdecimal())


def read(folder: Path, number: int) -> Manifest:
    """Read one generation; ``Unavailable`` names a broken file, ``FileNotFoundError`` a collected one."""
    if number == 0:
        return Manifest()
    path = _path(folder, number)
    try:
        document = json.loads(path.read_bytes())
        body = document["body"]
        if _digest(body) != document["sha256"] or body["format"] != FORMAT or body["number"] != number:
            raise ValueError("checksum")
        return Manifest(
            number,
            {name: _table_files(entry) for name, entry in body["tables"].items()},
            body["arrays"],
            body["note"],
        )
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unavailable(
            f"第 {number} 代数据清单已损坏",
            where=str(path),
            remedy="从备份恢复该文件；或将它移走以回到上一代数据",
        ) from error


def _table_files(entry: Mapping[str, Any]) -> TableFiles:
    return TableFiles(tuple(str(file) for file in entry["files"]), int(entry["rows"]), str(entry["schema"]))


def newest(folder: Path) -> Manifest:
    """Read the highest generation; the empty one where there is none."""
    known = numbers(folder)
    return read(folder, known[-1]) if known else Manifest()


def publish(folder: Path, manifest: Manifest) -> None:
    """Write a generation durably; ``Conflict`` if its number is taken or passed."""
    body = {
        "format": FORMAT,
        "number": manifest.number,
        "tables": {
            name: {"files": list(entry.files), "rows": entry.rows, "schema": entry.schema}
            for name, entry in sorted(manifest.tables.items())
        },
        "arrays": {name: dict(entry) for name, entry in sorted(manifest.arrays.items())},
        "note": dict(manifest.note),
    }
    text = json.dumps({"sha256": _digest(body), "body": body}, ensure_ascii=False, indent=1)
    temporary = folder / f"{manifest.number}.{uuid.uuid4().hex}.json.tmp"
    with disk_errors(folder):
        make_folder(folder)
        try:
            with temporary.open("xb") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
            known = numbers(folder)
            if known and known[-1] >= manifest.number:
                raise _overtaken(manifest.number)
            # link() fails where the name exists: this is the compare-and-swap between two writers.
            os.link(temporary, _path(folder, manifest.number))
            sync_folder(folder)
        except FileExistsError:
            raise _overtaken(manifest.number) from None
        finally:
            temporary.unlink(missing_ok=True)


def _overtaken(number: int) -> Conflict:
    return Conflict(f"第 {number} 代数据已由另一次运行发布", remedy="重新运行本步骤，它会在新数据上继续")


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
