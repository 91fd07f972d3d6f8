"""What of a row in scope a role may read: by the kind of each column, default deny.

Names keep their first character, long numbers their ends; amounts, dates and numbers become null; in texts telephones,
mail addresses and identity numbers are blanked, and the names that the caller knows of.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final

import pyarrow as pa

from qiaomen.bank.classes import DataKind, kind_of
from qiaomen.bank.viewers import Viewer
from qiaomen.vocab import Role, Table

_OPEN: Final = frozenset({DataKind.PUBLIC, DataKind.INTERNAL})
_ALL: Final = frozenset(DataKind) - {DataKind.CREDENTIAL}
_PERSONAL: Final = frozenset({DataKind.PERSON, DataKind.CONTACT, DataKind.IDENTITY})
# Kinds shown in clear for rows in scope; text that is not in clear is shown with what is personal in it blanked.
CLEAR: Final[Mapping[Role, frozenset[DataKind]]] = {
    Role.MANAGER: _ALL,
    Role.SUB_BRANCH_ADMIN: _ALL,
    Role.BRANCH_ADMIN: _ALL,
    Role.ANALYST: _ALL - _PERSONAL - {DataKind.TEXT},
    Role.ADMINISTRATOR: _OPEN | {DataKind.COLLEAGUE},
    Role.INTEGRATOR: _OPEN | {DataKind.CUSTOMER},
}

_PHONE: Final = re.compile(r"(?<!\d)(?:1[3-9]\d{9}|0\d{2,3}[- ]?\d{7,8}|400[- ]?\d{3}[- ]?\d{4})(?!\d)")
_MAIL: Final = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_IDENTITY: Final = re.compile(
    r"(?<![0-9A-Za-z])([1-6]\d{5})((?:19|20)\d{2})(\d{2})(\d{2})\d{3}[\dXx](?![0-9A-Za-z])"
)


def clear_kinds(viewer: Viewer) -> frozenset[DataKind]:
    """Return the kinds shown in clear for rows in scope.

    Who holds several posts reads what the narrowest of them that sees rows may read; a deputy what his own post may.
    """
    held = [CLEAR[role] for role in viewer.roles if role in CLEAR and role is not Role.ADMINISTRATOR]
    if not held:
        held = [CLEAR[role] for role in viewer.roles if role in CLEAR]
    return frozenset.intersection(*held) if held else frozenset()


def reads(viewer: Viewer, kind: DataKind) -> bool:
    """Whether the viewer reads a kind in clear."""
    return kind in clear_kinds(viewer)


def masked_text(value: str | None) -> str | None:
    """Hide the middle of a text: a name keeps its first character, a long number its ends."""
    if value is None:
        return None
    if len(value) < 7:
        return value[:1] + "*" * max(1, len(value) - 1)
    return f"{value[:3]}{'*' * (len(value) - 7)}{value[-4:]}"


def blanked_text(text: str, names: Iterable[str] = ()) -> str:
    """Return a text with telephones, mail addresses, identity numbers and the given names masked."""
    for name in sorted({name for name in names if len(name) > 1}, key=len, reverse=True):
        text = text.replace(name, masked_text(name) or "")
    text = _IDENTITY.sub(lambda found: _star(found[0]) if _is_day(found) else found[0], text)
    text = _MAIL.sub(lambda found: _star(found[0]), text)
    return _PHONE.sub(lambda found: _star(found[0]), text)


def _star(value: str) -> str:
    return masked_text(value) or ""


def _is_day(found: re.Match[str]) -> bool:
    try:
        date(int(found[2]), int(found[3]), int(found[4]))
    except ValueError:
        return False
    return True


def readable(viewer: Viewer, text: str | None, names: Iterable[str] = ()) -> str:
    """Return a free text as the viewer may read it."""
    return (text or "") if reads(viewer, DataKind.TEXT) else blanked_text(text or "", names)


def _shown(kind: DataKind, value: Any) -> Any:
    if not isinstance(value, str):
        return None
    if kind is DataKind.CREDENTIAL:
        return None
    return blanked_text(value) if kind is DataKind.TEXT else masked_text(value)


def mask(viewer: Viewer, table: Table, data: pa.Table) -> pa.Table:
    """Return rows in scope as the viewer may read them. Columns are those that ``table`` declares."""
    clear = clear_kinds(viewer)
    for index, name in enumerate(data.column_names):
        kind = kind_of(table.name, table.column(name).name)
        if kind not in clear:
            data = data.set_column(index, name, _hidden(kind, data.column(name)))
    return data


def _hidden(kind: DataKind, values: pa.ChunkedArray) -> pa.Array:
    if pa.types.is_string(values.type):
        return pa.array([_shown(kind, value) for value in values.to_pylist()], pa.string())
    return pa.nulls(len(values), values.type)


def mask_row(viewer: Viewer, table: Table, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return one row in scope as the viewer may read it."""
    clear = clear_kinds(viewer)
    result: dict[str, Any] = {}
    for name, value in row.items():
        kind = kind_of(table.name, table.column(name).name)
        result[name] = value if kind in clear else _shown(kind, value)
    return result
