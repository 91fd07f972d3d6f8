"""Durable file operations of the lake: fsync, directory fsync, and disk errors in words."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from qiaomen.vocab import Unavailable

_FULL: Final = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_READ_ONLY: Final = {errno.EROFS, errno.EACCES, errno.EPERM}


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn a full, read-only or failing disk into ``Unavailable`` with its remedy."""
    try:
        yield
    except OSError as error:
        if isinstance(error, FileNotFoundError | FileExistsError):
            raise
        raise _worded(path, error) from error


def is_disk_trouble(error: OSError) -> bool:
    """Whether a disk is full, over its quota or not writable."""
    return error.errno in _FULL | _READ_ONLY


def _worded(path: Path, error: OSError) -> Unavailable:
    if error.errno in _FULL or "No space left" in str(error) or "File too large" in str(error):
        return Unavailable(
            "磁盘空间不足，本次写入未生效，原有数据不受影响",
            where=str(path),
            remedy="清理磁盘或换到更大的磁盘后重试",
        )
    if error.errno in _READ_ONLY or "Read-only file system" in str(error):
        return Unavailable(
            "目录不可写，本次写入未生效",
            where=str(path),
            remedy="检查目录权限，或用 --workspace 指定可写目录",
        )
    return Unavailable(f"磁盘读写失败（{error}）", where=str(path), remedy="检查磁盘后重试")


def sync_file(path: Path) -> None:
    """Force a closed file to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Force the entries of a folder to disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(path: Path) -> None:
    """Create a folder and its parents, durably."""
    if path.is_dir():
        return
    make_folder(path.parent)
    path.mkdir(exist_ok=True)
    sync_folder(path.parent)
