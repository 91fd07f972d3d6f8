"""Which company is in which park: declared rows, then words of the address, then distance.

Reads ``companies``, ``parks``, ``park_resident_records``; writes ``park_residents`` and the count in ``parks``.
A stronger ground closes the weaker ones: a company with a declared park is not placed by its address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from qiaomen.chains import PhraseIndex, folded, with_company_ids
from qiaomen.parks.tables import PARK_RESIDENT_RECORDS, PARK_RESIDENTS, PARKS
from qiaomen.registry import resolve_address
from qiaomen.vocab import RegionLevel, region_prefix

EARTH_RADIUS_M: Final = 6_371_008.8
METRES_PER_DEGREE: Final = EARTH_RADIUS_M * np.pi / 180
DISTINCTIVE: Final = 4
"""Where the company's region is unknown a word of the address must have this many characters."""
SHORTEST: Final = 2
CITY: Final = 4
DISTRICT: Final = 6
"""Digits of a division code. A park of several districts gives the code of its city, and takes in all of them."""


@dataclass(frozen=True, slots=True)
class Placed:
    """``parks`` with their number of residents, ``residents`` (PARK_RESIDENTS), and ``counts``."""

    parks: pa.Table
    residents: pa.Table
    counts: Mapping[str, int]


def place_companies(
    companies: pa.Table,
    parks: pa.Table,
    park_resident_records: pa.Table | None = None,
    company_refs: pa.Table | None = None,
    *,
    as_of: date,
) -> Placed:
    """Place companies in parks as of a date. A declared stay that has ended also rules out a weaker ground."""
    counts: Counter[str] = Counter()
    ended: set[tuple[int, str]] = set()
    rows: list[dict[str, Any]] = []
    if park_resident_records is not None:
        rows, ended = _declared(park_resident_records, company_refs, parks, as_of, counts)
        rows = _known_only(rows, companies, counts)
    settled = {row["company_id"] for row in rows}
    by_address = _by_address(_others(companies, settled), parks, ended, counts)
    settled |= {row["company_id"] for row in by_address}
    by_location = _by_location(_others(companies, settled), parks, ended)
    rows += by_address + by_location
    for row in rows:
        counts[f"basis:{row['basis']}"] += 1
    rows.sort(key=lambda row: (row["company_id"], row["park_code"]))
    residents = PARK_RESIDENTS.conform(pa.Table.from_pylist(rows, PARK_RESIDENTS.schema))
    return Placed(_counted(parks, rows), residents, dict(counts))


def _others(companies: pa.Table, settled: set[int]) -> pa.Table:
    done = pc.is_in(companies.column("company_id"), value_set=pa.array(sorted(settled), pa.int64()))
    return companies.filter(pc.invert(done))


def _known_only(
    rows: list[dict[str, Any]], companies: pa.Table, counts: Counter[str]
) -> list[dict[str, Any]]:
    ids = pa.array([row["company_id"] for row in rows], pa.int64())
    known = pc.is_in(ids, value_set=companies.column("company_id").combine_chunks()).to_pylist()
    counts["declared:not_a_company"] = known.count(False)
    return [row for row, there in zip(rows, known, strict=True) if there]


def _counted(parks: pa.Table, rows: list[dict[str, Any]]) -> pa.Table:
    residents = Counter(row["park_code"] for row in rows)
    at = parks.schema.get_field_index("residents")
    numbers = pa.array([residents[code] for code in parks.column("park_code").to_pylist()], pa.int64())
    return PARKS.conform(parks.set_column(at, "residents", numbers))


def _declared(
    records: pa.Table,
    company_refs: pa.Table | None,
    parks: pa.Table,
    as_of: date,
    counts: Counter[str],
) -> tuple[list[dict[str, Any]], set[tuple[int, str]]]:
    """Return current stays (one per company and park) and the stays that have ended and did not begin again."""
    names = dict(zip(parks.column("park_code").to_pylist(), parks.column("name").to_pylist(), strict=True))
    known = [name for name in records.column_names if name in (*PARK_RESIDENT_RECORDS.names, "company_id")]
    resolved = with_company_ids(records.select(known), company_refs)
    current: dict[tuple[int, str], dict[str, Any]] = {}
    ended: set[tuple[int, str]] = set()
    for row in resolved.sort_by([("source", "ascending"), ("record_key", "ascending")]).to_pylist():
        counts["declared:read"] += 1
        company, park = row["company_id"], row["park_code"]
        if company is None:
            counts["declared:unresolved"] += 1
        elif park not in names:
            counts["declared:unknown_park"] += 1
        elif row["until"] is not None and row["until"] < as_of:
            counts["declared:ended"] += 1
            ended.add((company, park))
        elif row["since"] is not None and row["since"] > as_of:
            counts["declared:not_begun"] += 1
        elif (company, park) in current:
            counts["declared:repeated"] += 1
        else:
            place = f"park_resident_records/{row['source']}/{row['record_key']}"
            evidence = f"来源申报入驻“{names[park]}”{_period(row)}｜{place}"
            current[company, park] = _row(company, park, "declared", evidence) | {
                "since": row["since"],
                "until": row["until"],
            }
    return list(current.values()), ended - current.keys()


def _period(row: Mapping[str, Any]) -> str:
    return f"（{row['since']:%Y-%m-%d} 起）" if row["since"] is not None else ""


def _row(company: int, park: str, basis: str, evidence: str) -> dict[str, Any]:
    return {"company_id": company, "park_code": park, "basis": basis, "evidence": evidence}


def _by_address(
    companies: pa.Table, parks: pa.Table, ended: set[tuple[int, str]], counts: Counter[str]
) -> list[dict[str, Any]]:
    """Place companies whose address holds a park's words or name and which lie where the park lies."""
    owners = _words_of_parks(parks, counts)
    index = PhraseIndex(sorted(owners))
    hits = index.find(companies.column("address"))
    texts = np.unique(hits.text)
    near = (
        companies.select(["company_id", "region_code", "address"])
        .take(pa.array(texts, pa.int64()))
        .to_pylist()
    )
    words: dict[int, set[str]] = {}
    for at, number in zip(np.searchsorted(texts, hits.text).tolist(), hits.word.tolist(), strict=True):
        words.setdefault(at, set()).add(index.words[number])
    rows = []
    for at, found in sorted(words.items()):
        company = near[at]
        for word, park in _fitting(company, found, owners, counts):
            if (company["company_id"], park["park_code"]) in ended:
                counts["address:ended"] += 1
                continue
            evidence = (
                f"注册地址“{company['address']}”含“{word}”，对应“{park['name']}”"
                f"｜companies/registry/{company['company_id']}"
            )
            rows.append(_row(company["company_id"], park["park_code"], "address", evidence))
    return rows


def _words_of_parks(parks: pa.Table, counts: Counter[str]) -> dict[str, list[dict[str, Any]]]:
    """Return the parks that each word stands for: their address words and their names."""
    owners: dict[str, list[dict[str, Any]]] = {}
    for park in parks.to_pylist():
        texts = [*(park["address_words"] or "").split(";"), park["name"]]
        for word in sorted({folded(text.strip()) for text in texts} - {""}):
            if len(word) < SHORTEST:
                counts["address:short_word"] += 1
            else:
                owners.setdefault(word, []).append(park)
    return owners


def _fitting(
    company: Mapping[str, Any],
    found: set[str],
    owners: Mapping[str, list[dict[str, Any]]],
    counts: Counter[str],
) -> list[tuple[str, dict[str, Any]]]:
    """Return (word, park) for each park that lies where the company does, by its longest word.

    A park whose word only stands inside a longer word of another park is left out.
    """
    best: dict[str, tuple[str, dict[str, Any]]] = {}
    region = _where(company)
    for word in sorted(found, key=lambda text: (-len(text), text)):
        for park in owners[word]:
            if not _same_place(region, park["region_code"], word, CITY):
                counts["address:other_city"] += 1
            elif not _same_place(region, park["region_code"], word, DISTRICT):
                counts["address:other_district"] += 1
            else:
                best.setdefault(park["park_code"], (word, park))
    longest = {word for word, _ in best.values()}
    return [
        best[code]
        for code in sorted(best)
        if not any(best[code][0] != other and best[code][0] in other for other in longest)
    ]


def _where(company: Mapping[str, Any]) -> str | None:
    """Return the district that the address names in the company's city, else the company's region.

    A building's 东区 reads as a district of another province; such a one is not taken.
    """
    named = resolve_address(company["address"])
    region: str | None = company["region_code"]
    if named.level != RegionLevel.DISTRICT:
        return region
    city = region_prefix(region or "")[:CITY]
    return named.code if named.code.startswith(city) else region


def _same_place(company_region: str | None, park_region: str | None, word: str, digits: int) -> bool:
    """Return whether both lie in the same division, as far as both are known and ``digits`` of the code tell."""
    if not company_region or not park_region:
        return len(word) >= DISTINCTIVE
    reach = min(len(region_prefix(company_region)), len(region_prefix(park_region)), digits)
    return company_region[:reach] == park_region[:reach]


def _by_location(companies: pa.Table, parks: pa.Table, ended: set[tuple[int, str]]) -> list[dict[str, Any]]:
    """Place each company in the nearest park whose radius takes it in; of equal distances the lower code."""
    ids = companies.column("company_id").to_numpy(zero_copy_only=False).astype(np.int64)
    lon = companies.column("lon").to_numpy(zero_copy_only=False).astype(np.float64)
    lat = companies.column("lat").to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(invalid="ignore"):
        placed = np.flatnonzero((np.abs(lon) <= 180) & (np.abs(lat) <= 90))
    order = placed[np.argsort(lat[placed], kind="stable")]
    ids, lon, lat = ids[order], lon[order], lat[order]
    nearest = np.full(ids.size, np.inf)
    chosen = np.full(ids.size, -1, dtype=np.int64)
    rows = [row for row in parks.sort_by("park_code").to_pylist() if _has_circle(row)]
    for number, park in enumerate(rows):
        reach = park["radius_m"] / METRES_PER_DEGREE
        low, high = np.searchsorted(lat, [park["lat"] - reach, park["lat"] + reach + 1e-12])
        distance = distance_m(lon[low:high], lat[low:high], park["lon"], park["lat"])
        gone = np.array([company for company, code in ended if code == park["park_code"]], dtype=np.int64)
        better = (distance <= park["radius_m"]) & (distance < nearest[low:high])
        better &= ~np.isin(ids[low:high], gone)
        nearest[low:high] = np.where(better, distance, nearest[low:high])
        chosen[low:high] = np.where(better, number, chosen[low:high])
    return [
        _row(
            int(ids[at]),
            rows[chosen[at]]["park_code"],
            "location",
            f"注册位置距“{rows[chosen[at]]['name']}”中心 {nearest[at]:.0f} 米，"
            f"在 {rows[chosen[at]]['radius_m']:.0f} 米范围内｜companies/registry/{ids[at]}",
        )
        for at in np.flatnonzero(chosen >= 0).tolist()
    ]


def _has_circle(park: Mapping[str, Any]) -> bool:
    return all(park[name] is not None for name in ("lon", "lat", "radius_m"))


def distance_m(
    lon: NDArray[np.float64], lat: NDArray[np.float64], to_lon: float, to_lat: float
) -> NDArray[np.float64]:
    """Return great-circle distances in metres (haversine)."""
    a, b = np.radians(lat), np.radians(to_lat)
    inner = np.sin((a - b) / 2) ** 2 + np.cos(a) * np.cos(b) * np.sin(np.radians(lon - to_lon) / 2) ** 2
    return 2 * EARTH_RADIUS_M * np.arcsin(np.sqrt(np.clip(inner, 0.0, 1.0)))
