"""The tabs of 客户盘点, as far as the viewer may use them."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow.compute as pc

from qiaomen.bank import Action, may
from qiaomen.customers import CUSTOMER_MATCHES
from qiaomen.vocab import MatchOutcome
from qiaomen.web import formats
from qiaomen.web.reading import Reading
from qiaomen.web.visit import Visit


@dataclass(frozen=True, slots=True)
class Tab:
    """One tab."""

    key: str
    title: str
    href: str
    count: str = ""


def waiting_matches(reading: Reading) -> int:
    """Number of customer rows that wait for a person."""
    rows = reading.table(CUSTOMER_MATCHES)
    return int(pc.sum(pc.equal(rows.column("outcome"), MatchOutcome.AMBIGUOUS.value)).as_py() or 0)


def inventory_tabs(visit: Visit) -> tuple[Tab, ...]:
    """Return the tabs that the viewer may open."""
    found = [Tab("screen", "筛选", "/inventory/screen")]
    if may(visit.viewer, Action.DECIDE_MATCHES):
        waiting = visit.reading.once(waiting_matches)
        found.append(
            Tab("matches", "匹配复核", "/inventory/matches", formats.count(waiting) if waiting else "")
        )
    if may(visit.viewer, Action.UPLOAD_CUSTOMERS):
        found.append(Tab("upload", "上传名单", "/inventory/upload"))
    return tuple(found)
