"""One file that holds many, each with its checksum: written whole or not at all, unpacked only where every one agrees.

A plain tar (readable without this program) of regular files under relative names; the last member, ``contents.json``,
lists the others with size and SHA-256 and carries a checksum of itself.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import uuid
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any, Final, Self

from qiaomen.store.disk import disk_errors, sync_file, sync_folder
from qiaomen.vocab import InputRejected

CONTENTS: Final = "contents.json"
FORMAT: Final = 1
_BLOCK: Final = 1 << 20
_LARGEST_CONTENTS: Final = 64 << 20


class ArchiveWriter:
    """Writes an archive beside its place and moves it there at the end; as a context manager it leaves nothing half."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
        self._files: dict[str, dict[str, Any]] = {}
        with disk_errors(path):
            descriptor = os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            self._stream: IO[bytes] = os.fdopen(descriptor, "wb")
        self._tar = tarfile.open(fileobj=self._stream, mode="w", format=tarfile.PAX_FORMAT)  # noqa: SIM115

    def add_file(self, name: str, source: Path) -> None:
        """Add a file that nobody changes meanwhile."""
        with disk_errors(source), source.open("rb") as stream:
            self._add(name, stream, source.stat().st_size)

    def add_bytes(self, name: str, data: bytes) -> None:
        """Add a file of these bytes."""
        self._add(name, io.BytesIO(data), len(data))

    def _add(self, name: str, stream: IO[bytes], size: int) -> None:
        counted = _Counted(stream)
        member = tarfile.TarInfo(_checked(name))
        member.size, member.mode = size, 0o600
        with disk_errors(self.path):
            self._tar.addfile(member, counted)
        self._files[name] = {"size": size, "sha256": counted.digest.hexdigest()}

    def finish(self, about: Mapping[str, Any]) -> int:
        """Write the list of contents, put the archive in its place and return its size."""
        body = {"format": FORMAT, "about": dict(about), "files": self._files}
        text = json.dumps({"sha256": _digest(body), "body": body}, ensure_ascii=False, indent=1).encode()
        member = tarfile.TarInfo(CONTENTS)
        member.size, member.mode = len(text), 0o600
        with disk_errors(self.path):
            self._tar.addfile(member, io.BytesIO(text))
            self._tar.close()
            self._stream.close()
            sync_file(self._draft)
            size = self._draft.stat().st_size
            self._draft.replace(self.path)
            sync_folder(self.path.parent)
        return size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stream.close()
        self._draft.unlink(missing_ok=True)


class _Counted:
    """A stream that hashes what is read from it."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self.digest = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.digest.update(data)
        return data


def _digest(body: Mapping[str, Any]) -> str:
    text = json.dumps(body, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _checked(name: str) -> str:
    """Return a name that stays below the folder it is unpacked in; ``ValueError`` for any other."""
    path = PurePosixPath(name)
    odd = path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or str(path) != name
    if odd or not path.parts or ":" in path.parts[0]:
        raise ValueError(f"not a relative name: {name!r}")
    return name


def unpack_archive(path: Path, folder: Path) -> dict[str, Any]:
    """Unpack into an empty folder and return what the writer said about it.

    ``InputRejected`` for a file that is no archive, is cut short or damaged, or holds anything but regular files under
    relative names; what is in the folder is then worth nothing.
    """
    found: dict[str, dict[str, Any]] = {}
    contents = b""
    try:
        with tarfile.open(path, mode="r:") as tar:
            for member in tar:
                if contents or member.name in found:
                    raise _damaged(path, f"多出“{member.name}”")
                stream = tar.extractfile(member) if member.isreg() else None
                if stream is None:
                    raise _damaged(path, f"“{member.name}”不是普通文件")
                if member.name == CONTENTS:
                    contents = stream.read(_LARGEST_CONTENTS)
                else:
                    found[member.name] = _unpacked(stream, folder / _checked(member.name))
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise _damaged(path, "不是备份文件，或已截断") from error
    except FileNotFoundError as error:
        raise InputRejected("没有这个备份文件", where=str(path), remedy="检查路径") from error
    return _agreed(path, contents, found)


def _unpacked(stream: IO[bytes], target: Path) -> dict[str, Any]:
    digest, size = hashlib.sha256(), 0
    with disk_errors(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("xb") as file:
            while block := stream.read(_BLOCK):
                digest.update(block)
                size += len(block)
                file.write(block)
            file.flush()
            os.fsync(file.fileno())
    return {"size": size, "sha256": digest.hexdigest()}


def _agreed(path: Path, contents: bytes, found: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    if not contents:
        raise _damaged(path, "没有目录，文件不完整")
    try:
        document = json.loads(contents)
        body = document["body"]
        if _digest(body) != document["sha256"] or body["format"] != FORMAT:
            raise ValueError("checksum")
        files, about = dict(body["files"]), dict(body["about"])
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, "目录已损坏，或版本不符") from error
    for name in sorted(files.keys() | found.keys()):
        if files.get(name) != found.get(name):
            raise _damaged(path, f"“{name}”与目录不符")
    return about


def _damaged(path: Path, why: str) -> InputRejected:
    return InputRejected(
        f"备份文件不能使用：{why}", where=str(path), remedy="换一份完整的备份；没有内容被恢复"
    )
