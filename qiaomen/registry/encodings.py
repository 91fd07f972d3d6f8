"""Finds out in which encoding a text file is written, and names the line where none fits."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from qiaomen.vocab import InputRejected

_MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_ENOUGH: Final = 8


class _Trial:
    """One candidate encoding fed chunk by chunk until it fails."""

    def __init__(self, encoding: str) -> None:
        self.encoding = encoding
        self.failed_line = 0
        self.wide = 0
        self._line = 1
        self._decoder = codecs.getincrementaldecoder(encoding)("strict")

    def feed(self, chunk: bytes, *, final: bool = False) -> None:
        if self.failed_line:
            return
        try:
            text = self._decoder.decode(chunk, final)
        except UnicodeDecodeError as error:
            good = bytes(error.object)[: error.start]
            self.failed_line = self._line + good.count(b"\n")
            self.wide += sum(byte >= 0xC0 for byte in good)
            return
        self._line += text.count("\n")
        if not text.isascii():
            self.wide += len(text) - len(text.encode("ascii", "ignore"))


def find_encoding(name: str, chunks: Iterable[bytes], candidates: tuple[str, ...]) -> str:
    """Return the first candidate that decodes the whole file.

    A file that is UTF-8 for a good stretch and then breaks is a damaged UTF-8 file: it is refused with its line
    rather than read as GB18030, which would give nonsense. ``InputRejected`` also where no candidate fits.
    """
    trials = [_Trial(encoding) for encoding in candidates]
    first = True
    for chunk in chunks:
        if first:
            first = False
            mark = next((encoding for bom, encoding in _MARKS.items() if chunk.startswith(bom)), None)
            if mark:
                trials = [_Trial(mark)]
            elif chunk[:4096].count(0) > len(chunk[:4096]) // 8:
                raise InputRejected(
                    "不是文本文件，或是没有标记的 UTF-16", where=name, remedy="另存为 UTF-8 的 CSV"
                )
        for trial in trials:
            trial.feed(chunk)
    if first:
        raise InputRejected("文件是空的", where=name, remedy="检查导出是否成功")
    for trial in trials:
        trial.feed(b"", final=True)
        if not trial.failed_line:
            return trial.encoding
        if trial.encoding.startswith("utf-8") and trial.wide >= _ENOUGH:
            break
    tried = "、".join(trial.encoding for trial in trials)
    raise InputRejected(
        f"不是 {tried} 编码，或有损坏的字节",
        where=f"{name} 第 {trial.failed_line} 行",
        remedy="另存为 UTF-8 后重新装载",
    )
