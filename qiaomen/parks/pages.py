"""Park search, and one park as a page shows it: residents, chain make-up, leading firms, penetration.

Reads ``parks``, ``park_residents``, ``companies``, ``company_nodes``, ``chain_nodes`` and the customers' numbers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.membership import MEMBERSHIP_NAMES, MEMBERSHIPS
from qiaomen.vocab import NotFound, region_contains

LEADERS: Final = 10
EXACT_TRADE: Final = 4
PART_OF_TRADE: Final = 3
IN_NAME: Final = 2


@dataclass(frozen=True, slots=True)
class ParkHit:
    """One park found by a search; ``why`` says what agreed."""

    park_code: str
    name: str
    level: str | None
    region_code: str | None
    trades: tuple[str, ...]
    residents: int
    why: str


@dataclass(frozen=True, slots=True)
class ChainShare:
    """How many residents sit on a chain, by stage, and how many of them are customers."""

    chain_code: str
    chain_name: str
    companies: int
    customers: int
    stages: dict[str, int]


@dataclass(frozen=True, slots=True)
class Leader:
    """A leading firm of the park; ``why`` says by what it leads."""

    company_id: int
    name: str
    is_customer: bool
    listed_board: str | None
    revenue_cny: float | None
    capital_cny: float | None
    why: str


@dataclass(frozen=True, slots=True)
class ParkPage:
    """One park. ``penetration`` is customers / residents, None where nobody is in the park."""

    park_code: str
    name: str
    level: str | None
    region_code: str | None
    trades: tuple[str, ...]
    operator_id: int | None
    lon: float | None
    lat: float | None
    radius_m: float | None
    residents: int
    customers: int
    penetration: float | None
    bases: dict[str, int]
    chains: tuple[ChainShare, ...]
    leaders: tuple[Leader, ...]


def search_parks(parks: pa.Table, keyword: str = "", region_code: str | None = None) -> tuple[ParkHit, ...]:
    """Return parks by trade keyword (or words of the name) and region, the best fit first, then the largest."""
    wanted = keyword.strip()
    found: list[tuple[int, ParkHit]] = []
    for row in parks.to_pylist():
        if region_code and not region_contains(region_code, row["region_code"] or ""):
            continue
        score, why = _fit(row, wanted)
        if score:
            hit = ParkHit(
                row["park_code"],
                row["name"],
                row["level"],
                row["region_code"],
                _words(row["trades"]),
                row["residents"] or 0,
                why,
            )
            found.append((score, hit))
    found.sort(key=lambda item: (-item[0], -item[1].residents, item[1].park_code))
    return tuple(hit for _, hit in found)


def _fit(row: dict[str, Any], wanted: str) -> tuple[int, str]:
    if not wanted:
        return 1, "全部园区"
    trades = _words(row["trades"])
    if wanted in trades:
        return EXACT_TRADE, f"重点产业为“{wanted}”"
    near = next((trade for trade in trades if wanted in trade or trade in wanted), None)
    if near is not None:
        return PART_OF_TRADE, f"重点产业“{near}”与“{wanted}”相近"
    return (IN_NAME, f"园区名称含“{wanted}”") if wanted in row["name"] else (0, "")


def _words(text: str | None) -> tuple[str, ...]:
    return tuple(part.strip() for part in (text or "").split(";") if part.strip())


def park_page(
    park_code: str,
    parks: pa.Table,
    park_residents: pa.Table,
    companies: pa.Table,
    company_nodes: pa.Table,
    chain_nodes: pa.Table,
    customer_ids: Collection[int],
) -> ParkPage:
    """Return one park. ``customer_ids`` are the customers that the viewer may know of. Raises ``NotFound``."""
    found = parks.filter(pc.equal(parks.column("park_code"), park_code)).to_pylist()
    if not found:
        raise NotFound(f"没有园区“{park_code}”", remedy="在园区列表中选择")
    park = found[0]
    here = park_residents.filter(pc.equal(park_residents.column("park_code"), park_code))
    ids = pc.unique(here.column("company_id"))
    held = set(ids.to_pylist()) & set(customer_ids)
    residents = companies.filter(pc.is_in(companies.column("company_id"), value_set=ids))
    placed = company_nodes.filter(pc.is_in(company_nodes.column("company_id"), value_set=ids))
    return ParkPage(
        park_code,
        park["name"],
        park["level"],
        park["region_code"],
        _words(park["trades"]),
        park["operator_id"],
        park["lon"],
        park["lat"],
        park["radius_m"],
        len(ids),
        len(held),
        len(held) / len(ids) if len(ids) else None,
        dict(sorted(Counter(here.column("basis").to_pylist()).items())),
        _chains(placed, chain_nodes, held),
        leading_firms(residents, held),
    )


def _chains(placed: pa.Table, chain_nodes: pa.Table, held: set[int]) -> tuple[ChainShare, ...]:
    codes, names = chain_nodes.column("chain_code").to_pylist(), chain_nodes.column("chain_name").to_pylist()
    labels = dict(zip(codes, names, strict=True))
    members: dict[str, set[int]] = {}
    stages: dict[str, dict[str, set[int]]] = {}
    for row in placed.select(["company_id", "chain_code", "stage"]).to_pylist():
        members.setdefault(row["chain_code"], set()).add(row["company_id"])
        stages.setdefault(row["chain_code"], {}).setdefault(row["stage"] or "", set()).add(row["company_id"])
    shares = [
        ChainShare(
            chain,
            labels.get(chain, chain),
            len(inside),
            len(inside & held),
            {stage: len(stages[chain][stage]) for stage in sorted(stages[chain])},
        )
        for chain, inside in members.items()
    ]
    return tuple(sorted(shares, key=lambda share: (-share.companies, share.chain_code)))


def leading_firms(companies: pa.Table, held: Collection[int], limit: int = LEADERS) -> tuple[Leader, ...]:
    """Return the leading firms: listed ones first, then by revenue, then by capital."""
    columns = ["company_id", "name", "listed_board", "revenue_cny", "capital_cny"]
    rows = companies.select(columns).to_pylist()
    rows.sort(
        key=lambda row: (
            row["listed_board"] is None,
            -(row["revenue_cny"] or 0.0),
            -(row["capital_cny"] or 0.0),
            row["company_id"],
        )
    )
    return tuple(
        Leader(
            row["company_id"],
            row["name"],
            row["company_id"] in held,
            row["listed_board"],
            row["revenue_cny"],
            row["capital_cny"],
            _leads_by(row),
        )
        for row in rows[:limit]
    )


def _leads_by(row: dict[str, Any]) -> str:
    if row["listed_board"]:
        return f"{row['listed_board']}上市"
    if row["revenue_cny"]:
        return f"年营业收入 {row['revenue_cny'] / 1e4:,.0f} 万元"
    if row["capital_cny"]:
        return f"注册资本 {row['capital_cny'] / 1e4:,.0f} 万元"
    return "无营收、资本数据"


def park_memberships(park_residents: pa.Table) -> pa.Table:
    """Return MEMBERSHIPS rows of dimension ``park``, one per company and park code."""
    count = park_residents.num_rows
    return MEMBERSHIPS.conform(
        pa.table(
            {
                "company_id": park_residents.column("company_id"),
                "dimension": pa.array(["park"] * count, pa.string()),
                "value": park_residents.column("park_code"),
                "since": park_residents.column("since"),
                "until": park_residents.column("until"),
                "evidence": park_residents.column("evidence"),
            }
        )
    )


def park_names(parks: pa.Table) -> pa.Table:
    """Return MEMBERSHIP_NAMES rows of dimension ``park``."""
    return MEMBERSHIP_NAMES.conform(
        pa.table(
            {
                "dimension": pa.array(["park"] * parks.num_rows, pa.string()),
                "value": parks.column("park_code"),
                "label": parks.column("name"),
            }
        )
    )
