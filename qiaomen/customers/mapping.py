"""Which column of an uploaded list is which: guessed from its headers, corrected by the user, remembered.

A mapping is a dict of target column to the header as the file writes it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.customers.schema import UPLOAD_MAPPINGS
from qiaomen.registry import FileFormat, FileRule, Source, normal_header, open_rows
from qiaomen.vocab import InputRejected

_ALIKE: Final = 80.0


@dataclass(frozen=True, slots=True)
class ListHead:
    """The top of an uploaded list: headers as written and the first rows, for the mapping page."""

    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def read_head(path: Path, *, rows: int = 5) -> ListHead:
    """Return headers and first rows; ``InputRejected`` if the file cannot be read."""
    with open_rows(path, FileFormat()) as opened:
        batch = next(opened.batches, None)
        headers = tuple(opened.written[key] for key in opened.headers)
        if batch is None:
            return ListHead(headers, ())
        columns = [batch.columns[key].slice(0, rows).to_pylist() for key in opened.headers]
    return ListHead(headers, tuple(tuple(cell or "" for cell in row) for row in zip(*columns, strict=True)))


def guess_mapping(headers: Sequence[str], source: Source) -> dict[str, str]:
    """Return the likely header of each target column: an equal name first, then one that contains it, then alike ones.

    A header serves one column; a column without a likely header is left out.
    """
    from rapidfuzz import fuzz

    wanted = {name: rule.headers for name, rule in _rule(source).tables[0].columns.items() if rule.headers}
    normal = {header: normal_header(header) for header in headers if header.strip()}
    scored: list[tuple[float, int, str, str]] = []
    for order, (name, alternatives) in enumerate(wanted.items()):
        for header, plain in normal.items():
            best = 0.0
            for place, alternative in enumerate(alternatives):
                other = normal_header(alternative)
                if plain == other:
                    score = 200.0 - place
                elif len(other) > 1 and other in plain:
                    score = 100.0 + len(other)
                else:
                    score = fuzz.ratio(plain, other)
                best = max(best, score)
            if best >= _ALIKE:
                scored.append((-best, order, name, header))
    mapping: dict[str, str] = {}
    taken: set[str] = set()
    for _, _, name, header in sorted(scored):
        if name not in mapping and header not in taken:
            mapping[name] = header
            taken.add(header)
    return {name: mapping[name] for name in wanted if name in mapping}


def with_mapping(source: Source, mapping: Mapping[str, str]) -> Source:
    """Return the source reading exactly the mapped headers of a list of any name.

    ``InputRejected`` if a required column is not mapped, a column does not exist or a header serves two columns.
    """
    file_rule = _rule(source)
    table_rule = file_rule.tables[0]
    if unknown := sorted(set(mapping) - set(table_rule.columns)):
        raise InputRejected(f"没有名为“{'、'.join(unknown)}”的目标列", remedy="重新选择对应的列")
    doubled = sorted({header for header in mapping.values() if list(mapping.values()).count(header) > 1})
    if doubled:
        raise InputRejected(f"列“{'、'.join(doubled)}”对应了两次", remedy="每一列只能对应一个目标列")
    needed = [name for name, rule in table_rule.columns.items() if rule.required and rule.default is None]
    if missing := [name for name in needed if name not in mapping]:
        labels = "、".join(table_rule.columns[name].headers[1] for name in missing)
        raise InputRejected(f"必填的列没有对应：{labels}", remedy="为它们选择文件中的列")
    columns = {
        name: rule.model_copy(update={"headers": (mapping[name],)})
        for name, rule in table_rule.columns.items()
        if name in mapping
    }
    mapped = table_rule.model_copy(update={"columns": columns})
    return source.model_copy(update={"files": (file_rule.model_copy(update={"tables": (mapped,)}),)})


def _rule(source: Source) -> FileRule:
    return next(rule for rule in source.files if rule.tables)


def _signature(headers: Sequence[str]) -> str:
    """Return a hash of the set of headers: a list with the same columns finds its mapping again."""
    plain = sorted({normal_header(header) for header in headers if header.strip()})
    return hashlib.sha256("\n".join(plain).encode()).hexdigest()


def save_mapping(
    connection: Connection, headers: Sequence[str], mapping: Mapping[str, str], *, by: str, now: datetime
) -> None:
    """Remember the mapping for lists with these headers, in place of an earlier one."""
    signature = _signature(headers)
    connection.execute(sa.delete(UPLOAD_MAPPINGS).where(UPLOAD_MAPPINGS.c.signature == signature))
    text = json.dumps(dict(mapping), ensure_ascii=False)
    connection.execute(
        sa.insert(UPLOAD_MAPPINGS).values(signature=signature, mapping=text, saved_by=by, saved_at=now)
    )


def saved_mapping(connection: Connection, headers: Sequence[str]) -> dict[str, str] | None:
    """Return the mapping remembered for lists with these headers, or None."""
    query = sa.select(UPLOAD_MAPPINGS.c.mapping).where(UPLOAD_MAPPINGS.c.signature == _signature(headers))
    text = connection.execute(query).scalar_one_or_none()
    if text is None:
        return None
    present = {normal_header(header): header for header in headers}
    found: dict[str, str] = json.loads(text)
    return {
        name: present[normal_header(header)]
        for name, header in found.items()
        if normal_header(header) in present
    }
