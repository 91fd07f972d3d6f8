"""Which rows are kept longer than their source allows. Reads the tables of source rows and ``loads``; writes nothing.

A row's age counts from the load that last inserted or updated it. Where a later load of the same source and table found rows
unchanged, from that one: which rows these were is not kept, and what is still delivered must not be deleted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa

from qiaomen.registry.sources import Source

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class Held:
    """Rows of one table that one load of one source last touched, or rejected."""

    table: str
    source: str
    load_id: str
    rows: int


@dataclass(frozen=True, slots=True)
class Retention:
    """What one source holds in one table; ``retention_days`` is none where the source is declared no more."""

    source: str
    name: str
    supplier: str
    table: str
    rows: int
    past_rows: int
    oldest_on: date | None
    retention_days: int | None

    @property
    def is_past(self) -> bool:
        """Whether something is to be deleted or its keeping decided anew."""
        return self.past_rows > 0


def held_rows(records: ir.Table) -> ir.Table:
    """Return (source, load_id, rows) of a table whose rows name both."""
    return records.group_by(["source", "load_id"]).aggregate(rows=records.count())


def retention_report(
    held: Iterable[Held], loads: pa.Table, sources: Mapping[str, Source], as_of: date, zone: ZoneInfo
) -> list[Retention]:
    """Return one row per source and table. Rows of an unknown load or of a source no longer declared are past."""
    loaded, seen = load_days(loads, zone), _seen_again(loads, zone)
    groups: dict[tuple[str, str], list[Held]] = {}
    for part in held:
        groups.setdefault((part.source, part.table), []).append(part)
    return [
        _report(parts, loaded, seen, sources.get(code), as_of) for (code, _), parts in sorted(groups.items())
    ]


def past_parts(
    held: Iterable[Held], loads: pa.Table, sources: Mapping[str, Source], as_of: date, zone: ZoneInfo
) -> list[Held]:
    """Return the parts that are past, as ``retention_report`` counts them."""
    loaded, seen = load_days(loads, zone), _seen_again(loads, zone)
    return [part for part in held if _is_past(part, loaded, seen, sources.get(part.source), as_of)]


def _is_past(
    part: Held,
    loaded: Mapping[str, date],
    seen: Mapping[tuple[str, str], date],
    source: Source | None,
    as_of: date,
) -> bool:
    if source is None:
        return True
    newest = max(loaded.get(part.load_id, date.min), seen.get((part.source, part.table), date.min))
    return newest < as_of - timedelta(days=source.retention_days)


def _seen_again(loads: pa.Table, zone: ZoneInfo) -> dict[tuple[str, str], date]:
    """Return by source and table the day of the newest load that found rows unchanged."""
    days = load_days(loads, zone)
    found: dict[tuple[str, str], date] = {}
    for row in loads.select(["source", "table", "load_id", "unchanged"]).to_pylist():
        day = days.get(row["load_id"])
        if day and row["unchanged"]:
            key = (row["source"], row["table"])
            found[key] = max(day, found.get(key, day))
    return found


def without_parts(records: ir.Table, parts: ir.Table) -> ir.Table:
    """Return the rows that no part (columns ``source`` and ``load_id``, empty for a row without a load) names."""
    load = records.load_id.fill_null("")
    return records.anti_join(parts, [records.source == parts.source, load == parts.load_id])


def load_days(loads: pa.Table, zone: ZoneInfo) -> dict[str, date]:
    """Return the day of each load."""
    moments: dict[str, datetime] = dict(
        zip(loads["load_id"].to_pylist(), loads["loaded_at"].to_pylist(), strict=True)
    )
    return {load: moment.astimezone(zone).date() for load, moment in moments.items() if moment is not None}


def _report(
    parts: list[Held],
    loaded: Mapping[str, date],
    seen: Mapping[tuple[str, str], date],
    source: Source | None,
    as_of: date,
) -> Retention:
    days = [loaded[part.load_id] for part in parts if part.load_id in loaded]
    past = [part for part in parts if _is_past(part, loaded, seen, source, as_of)]
    return Retention(
        source=parts[0].source,
        name=source.name_zh if source else "（未声明）",
        supplier=source.supplier if source else "",
        table=parts[0].table,
        rows=sum(part.rows for part in parts),
        past_rows=sum(part.rows for part in past),
        oldest_on=min(days, default=None),
        retention_days=source.retention_days if source else None,
    )


def sources_past(loads: pa.Table, sources: Mapping[str, Source], as_of: date, zone: ZoneInfo) -> list[str]:
    """Return the sources with a load older than they allow that left rows behind, cheaply: its rows may be replaced since.

    A source that is declared no more is among them.
    """
    days = load_days(loads, zone)
    found = set()
    for row in loads.select(["load_id", "source", "inserted", "updated", "rejected"]).to_pylist():
        source, day = sources.get(row["source"]), days.get(row["load_id"])
        brought = (row["inserted"] or 0) + (row["updated"] or 0) + (row["rejected"] or 0)
        if source is None and brought:
            found.add(row["source"])
        elif source and day and brought and day < as_of - timedelta(days=source.retention_days):
            found.add(source.code)
    return sorted(found)
