"""Which staff numbers and names of persons may be entered: what can be read, linked to and taken apart again."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from qiaomen.vocab import InputRejected

_NUMBER: Final = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
# Control, direction marks and the like, halves of pairs: they hide what a name says.
_UNSEEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})


def check_number(staff_no: str) -> None:
    """Raise ``InputRejected`` for a staff number that could not stand in an address or a list."""
    if not _NUMBER.fullmatch(staff_no):
        raise InputRejected(
            f"工号“{staff_no[:64]}”不合规", remedy="用字母、数字、下划线与连字符，以字母或数字开头"
        )


def check_name(name: str) -> None:
    """Raise ``InputRejected`` for a name that is empty or holds what cannot be seen."""
    if not name.strip():
        raise InputRejected("姓名不能为空", remedy="填写姓名")
    if any(unicodedata.category(sign) in _UNSEEN for sign in name):
        raise InputRejected("姓名含有看不见的字符", remedy="重新输入姓名")
