"""The backup's file: whole or absent, unpacked only where every checksum agrees, never outside its folder."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from qiaomen.store import ArchiveWriter, unpack_archive
from qiaomen.vocab import InputRejected

FILES = {"a.txt": "敲门".encode(), "deep/er/b.bin": bytes(range(256)) * 5000, "empty": b""}


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "x.tar"
    source = tmp_path / "b.bin"
    source.write_bytes(FILES["deep/er/b.bin"])
    with ArchiveWriter(path) as writer:
        writer.add_bytes("a.txt", FILES["a.txt"])
        writer.add_file("deep/er/b.bin", source)
        writer.add_bytes("empty", b"")
        assert not path.exists(), "nothing is there before the end"
        assert writer.finish({"kind": "test"}) == path.stat().st_size
    return path


def unpacked(path: Path, folder: Path) -> dict[str, bytes]:
    folder.mkdir()
    assert unpack_archive(path, folder) == {"kind": "test"}
    return {str(each.relative_to(folder)): each.read_bytes() for each in folder.rglob("*") if each.is_file()}


def test_what_was_packed_is_unpacked(archive: Path, tmp_path: Path) -> None:
    assert unpacked(archive, tmp_path / "out") == FILES
    assert (archive.stat().st_mode & 0o777) == 0o600


def test_nothing_is_left_of_a_writer_that_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), ArchiveWriter(tmp_path / "x.tar") as writer:
        writer.add_bytes("a", b"1")
        raise ZeroDivisionError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99])
def test_a_cut_file_is_refused(archive: Path, tmp_path: Path, share: float) -> None:
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputRejected, match="备份文件不能使用"):
        unpacked(archive, tmp_path / "out")


def test_any_changed_byte_of_content_is_refused(archive: Path, tmp_path: Path) -> None:
    data = bytearray(archive.read_bytes())
    # Every place in the files' own bytes and in the list of contents, a few of each.
    for number, place in enumerate(range(1600, len(data) - 11000, len(data) // 40)):
        changed = bytearray(data)
        changed[place] ^= 1
        archive.write_bytes(changed)
        with pytest.raises(InputRejected):
            unpacked(archive, tmp_path / f"out{number}")


def raw(path: Path, fill: Callable[[tarfile.TarFile], None]) -> Path:
    with tarfile.open(path, "w") as tar:
        fill(tar)
    return path


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Callable[[tarfile.TarFile], None]:
    def fill(tar: tarfile.TarFile) -> None:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        info.size = 4 if kind == tarfile.REGTYPE else 0
        tar.addfile(info, io.BytesIO(b"evil") if info.size else None)

    return fill


@pytest.mark.parametrize(
    "fill",
    [
        member("../evil"),
        member("/tmp/evil-of-qiaomen"),
        member("a/../../evil"),
        member("a//b"),
        member("..\\evil"),
        member("C:evil"),
        member("."),
        member("link", tarfile.SYMTYPE, "/etc/passwd"),
        member("link", tarfile.LNKTYPE, "/etc/passwd"),
        member("pipe", tarfile.FIFOTYPE),
        member("folder", tarfile.DIRTYPE),
    ],
)
def test_names_outside_and_odd_members_are_refused(
    tmp_path: Path, fill: Callable[[tarfile.TarFile], None]
) -> None:
    path = raw(tmp_path / "evil.tar", fill)
    with pytest.raises(InputRejected):
        unpacked(path, tmp_path / "out")
    assert list((tmp_path / "out").rglob("*")) == []
    assert not (tmp_path / "evil").exists()
    assert not Path("/tmp/evil-of-qiaomen").exists()


def test_members_added_by_hand_are_refused(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive, "a") as tar:
        member("late")(tar)
    with pytest.raises(InputRejected, match="多出"):
        unpacked(archive, tmp_path / "out")


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no tar", b"\0" * 20000])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x.tar"
    path.write_bytes(content)
    with pytest.raises(InputRejected):
        unpacked(path, tmp_path / "out")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputRejected, match="没有这个备份文件"):
        unpacked(tmp_path / "none.tar", tmp_path / "out")


@pytest.mark.parametrize("name", ["../a", "/a", "a/./b", "", "a\\b"])
def test_a_writer_takes_relative_names_only(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="relative"), ArchiveWriter(tmp_path / "x.tar") as writer:
        writer.add_bytes(name, b"")
