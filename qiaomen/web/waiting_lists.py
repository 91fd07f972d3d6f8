"""Uploaded customer lists that wait to be applied: a file, and a note of whose it is and how it was mapped last."""

from __future__ import annotations

import json
import re
import secrets
import time
from pathlib import Path
from typing import Any, Final

from fastapi import UploadFile
from starlette.concurrency import run_in_threadpool

from qiaomen.customers import read_head
from qiaomen.vocab import InputRejected, NotFound
from qiaomen.web.visit import Visit

KINDS: Final = frozenset({".csv", ".xlsx", ".parquet"})
KEPT_S: Final = 24 * 3600
CHUNK: Final = 1 << 20
NUMBER: Final = re.compile(r"[a-f0-9]{32}")


def _folder(visit: Visit) -> Path:
    """Return the folder of lists that wait, without those that nobody applied within a day."""
    path = visit.site.workspace.root / "temp" / "uploads"
    path.mkdir(parents=True, exist_ok=True)
    for old in path.iterdir():
        if time.time() - old.stat().st_mtime > KEPT_S:
            old.unlink(missing_ok=True)
    return path


def _note(visit: Visit, number: str) -> tuple[Path, dict[str, Any]]:
    """Return the note of a waiting list; ``NotFound`` where there is none or it is another user's."""
    if NUMBER.fullmatch(number):
        note = _folder(visit) / f"{number}.json"
        if note.is_file():
            values: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
            if values["login"] == visit.viewer.login:
                return note, values
    raise NotFound("没有等待应用的名单", remedy="重新上传；名单保留一天")


def waiting(visit: Visit, number: str) -> tuple[Path, str]:
    """Return a waiting list and its name; ``NotFound`` where there is none or it is another user's."""
    note, values = _note(visit, number)
    return note.with_name(values["file"]), values["name"]


def noted_mapping(visit: Visit, number: str) -> dict[str, str] | None:
    """Return the mapping that the user tried last for a waiting list, if any."""
    mapping: dict[str, str] | None = _note(visit, number)[1].get("mapping")
    return mapping


def note_mapping(visit: Visit, number: str, mapping: dict[str, str]) -> None:
    """Keep the mapping that the user tried, for the error file and for looking again."""
    note, values = _note(visit, number)
    _write(note, values | {"mapping": mapping})


def _write(note: Path, values: dict[str, Any]) -> None:
    note.write_text(json.dumps(values, ensure_ascii=False), encoding="utf-8")


def forget(path: Path) -> None:
    """Remove a list and its note."""
    for part in (path, path.with_suffix(".json")):
        part.unlink(missing_ok=True)


async def keep(visit: Visit, file: UploadFile) -> str:
    """Store an uploaded list and return its number; ``InputRejected`` if it is too large or cannot be read."""
    name = Path(file.filename or "").name
    suffix = Path(name).suffix.lower()
    if suffix not in KINDS:
        raise InputRejected(
            f"不支持“{suffix or '无扩展名'}”文件", remedy="上传 XLSX 或 CSV（UTF-8 或 GB18030）"
        )
    number = secrets.token_hex(16)
    target = _folder(visit) / f"{number}{suffix}"
    try:
        await _store(file, target, visit.site.workspace.settings.upload_megabytes)
        await run_in_threadpool(read_head, target)
    except OSError:
        target.unlink(missing_ok=True)
        raise
    except InputRejected as error:
        target.unlink(missing_ok=True)
        # The user knows the file by its own name.
        where = error.where.replace(target.name, name)
        raise InputRejected(error.message, where=where, remedy=error.remedy) from error
    _write(
        target.with_suffix(".json"), {"login": visit.viewer.login, "file": target.name, "name": name[:120]}
    )
    return number


async def _store(file: UploadFile, target: Path, megabytes: int) -> None:
    size = 0
    with target.open("wb") as out:
        while chunk := await file.read(CHUNK):
            size += len(chunk)
            if size > megabytes * CHUNK:
                raise InputRejected(f"文件超过 {megabytes} MB", remedy="拆成几份，或请管理员调大上限")
            out.write(chunk)
