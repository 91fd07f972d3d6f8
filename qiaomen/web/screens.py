"""The screening index of the generation in use, and the field that lists are sorted by."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from qiaomen.membership import Index
from qiaomen.registry import COMPANIES
from qiaomen.reports import seen_index as hide_in_index
from qiaomen.scoring import TIERS
from qiaomen.vocab import NotFound
from qiaomen.web.reading import Reading
from qiaomen.web.seen import foreign_customers, own_kinds, own_tags

INDEX: Final = "membership_index"
SORTS: Final[tuple[tuple[str, str], ...]] = (
    ("priority", "营销优先级"),
    ("response_index", "响应度"),
    ("capital_cny", "注册资本"),
    ("founded_on", "成立日期"),
    ("employees", "参保人数"),
)


def open_index(reading: Reading) -> Index:
    """Open the screening index of the generation; ``NotFound`` before the first run."""
    return Index.open(reading.arrays(INDEX))


def seen_index(reading: Reading) -> Index:
    """Hide in the index what the bank alone knows of customers outside the reading's scope."""
    index = reading.once(open_index)
    foreign = reading.once(foreign_customers)
    return hide_in_index(index, foreign, reading.once(own_kinds), reading.once(own_tags))


def index_or_none(reading: Reading) -> Index | None:
    """Return the screening index as the reading's viewers may see it; nothing before the first run."""
    try:
        return reading.once(seen_index)
    except NotFound:
        return None


def sort_field(index: Index, wanted: str = "") -> str | None:
    """Return the wanted field if the index has it, else the first usual one that it has."""
    if wanted in index.names.fields:
        return wanted
    return next((field for field, _ in SORTS if field in index.names.fields), None)


def ranks(reading: Reading) -> npt.NDArray[np.float64]:
    """Negative marketing priority by company number (infinite where unscored): ascending is best first."""
    numbers = reading.table(COMPANIES).column("company_id").to_numpy()
    scored = reading.table(TIERS).select(["company_id", "priority"])
    known = scored.column("priority").to_numpy(zero_copy_only=False)
    values = np.full(int(numbers.max()) + 1 if len(numbers) else 1, np.inf)
    values[scored.column("company_id").to_numpy()] = np.where(np.isnan(known), np.inf, -known)
    return values
