"""营销地图: outlets, customers, prospects and parks on a schematic map; a radius around a place selects firms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, Field

from qiaomen.bank import INSTITUTION_RECORDS, Action, may
from qiaomen.parks import PARKS
from qiaomen.registry import COMPANIES
from qiaomen.vocab import UNIT_LABELS
from qiaomen.web import formats
from qiaomen.web.cells import Chip, customer_chip
from qiaomen.web.firms import brief, customer_numbers, firms
from qiaomen.web.outlines import outlines
from qiaomen.web.reading import Reading
from qiaomen.web.screens import ranks
from qiaomen.web.visit import Visit, signed_in

Numbers = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]
DOTS: Final = 2500
LISTED: Final = 40
DISTRICTS: Final = 60
EARTH_M: Final = 6_371_000.0

router = APIRouter()


class Circle(BaseModel):
    """A place and a radius; the outlet names whose circle it is."""

    lon: float = Field(ge=-180, le=180)
    lat: float = Field(ge=-90, le=90)
    radius_m: float = Field(5000, ge=100, le=50_000)
    outlet: str = ""


@dataclass(frozen=True, slots=True)
class Located:
    """Companies with a known place, the most promising first."""

    numbers: Numbers
    lon: Values
    lat: Values
    priority: Values


@dataclass(frozen=True, slots=True)
class Outlet:
    """An institution on the map."""

    code: str
    name: str
    lon: float
    lat: float
    kind: str


@dataclass(frozen=True, slots=True)
class NearRow:
    """One firm inside the circle."""

    name: str
    href: str
    chip: Chip
    note: str
    score: str


@dataclass(frozen=True, slots=True)
class Inside:
    """What the circle holds."""

    total: str
    customers: str
    prospects: str
    prospect_count: int
    rows: tuple[NearRow, ...]
    left: str
    hand: str


def located(reading: Reading) -> Located:
    """Read every company with a place, by priority."""
    rows = reading.table(COMPANIES).select(["company_id", "lon", "lat"])
    rows = rows.filter(pc.and_(pc.is_valid(rows.column("lon")), pc.is_valid(rows.column("lat"))))
    numbers = rows.column("company_id").to_numpy()
    rank = reading.once(ranks)[numbers] if len(numbers) else np.empty(0)
    order = np.argsort(rank, kind="stable")
    priority = np.where(np.isinf(rank), 0.0, -rank)[order]
    return Located(
        numbers[order],
        rows.column("lon").to_numpy()[order],
        rows.column("lat").to_numpy()[order],
        priority,
    )


def ours(reading: Reading) -> npt.NDArray[np.bool_]:
    """Tell which of the located companies are customers that the viewer may know of."""
    return np.isin(reading.once(located).numbers, reading.once(customer_numbers))


def outlets(reading: Reading) -> tuple[Outlet, ...]:
    """Institutions with a place, sub-branches before branches."""
    rows = reading.table(INSTITUTION_RECORDS).to_pylist()
    found = [
        Outlet(row["institution_code"], row["name"], row["lon"], row["lat"], row["unit_type"])
        for row in rows
        if row["lon"] is not None and row["lat"] is not None and row["unit_type"] != "head_office"
    ]
    return tuple(sorted(found, key=lambda row: (row.kind != "sub_branch", row.code)))


def distances(places: Located, lon: float, lat: float) -> Values:
    """Great-circle distance of every company in metres."""
    east, north = np.radians(places.lon), np.radians(places.lat)
    here_east, here_north = np.radians(lon), np.radians(lat)
    half = (
        np.sin((north - here_north) / 2) ** 2
        + np.cos(here_north) * np.cos(north) * np.sin((east - here_east) / 2) ** 2
    )
    return 2 * EARTH_M * np.arcsin(np.sqrt(half))


def districts(reading: Reading, names: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
    """Schematic outlines of the districts with most companies."""
    called = dict(names)
    rows = reading.table(COMPANIES).select(["region_code", "lon", "lat"])
    rows = rows.filter(pc.and_(pc.is_valid(rows.column("lon")), pc.is_valid(rows.column("region_code"))))
    means = rows.group_by("region_code").aggregate([("lon", "mean"), ("lat", "mean"), ("lon", "count")])
    ranked = sorted(means.to_pylist(), key=lambda row: -row["lon_count"])[:DISTRICTS]
    centres = [(row["lon_mean"], row["lat_mean"]) for row in ranked]
    places = list(zip(rows.column("lon").to_pylist(), rows.column("lat").to_pylist(), strict=True))
    shapes = outlines(centres, places)
    return [
        {"name": called.get(row["region_code"], row["region_code"]), "centre": centre, "outline": shape}
        for row, centre, shape in zip(ranked, centres, shapes, strict=True)
        if shape
    ]


def opening_zoom(reading: Reading) -> float:
    """Zoom at which a radius of five kilometres fills about a third of the picture."""
    places = reading.once(located)
    if not len(places.lat):
        return 1.0
    height_m = float(np.ptp(places.lat)) * 111_000
    return round(min(24.0, max(1.0, height_m / 30_000)), 2)


def dots(reading: Reading) -> dict[str, list[list[Any]]]:
    """The most promising companies of both sorts as [lon, lat, priority, name, number]."""
    places = reading.once(located)
    companies = reading.keyed(COMPANIES, "company_id")
    found: dict[str, list[list[Any]]] = {}
    for kind, wanted in (("customers", reading.once(ours)), ("prospects", ~reading.once(ours))):
        at = np.flatnonzero(wanted)[:DOTS]
        names = companies.by_key(places.numbers[at].tolist(), "name")
        found[kind] = [
            [
                round(places.lon[i], 5),
                round(places.lat[i], 5),
                round(places.priority[i], 1),
                brief(names[number]),
                number,
            ]
            for i, number in zip(at.tolist(), places.numbers[at].tolist(), strict=True)
        ]
    return found


def inside(visit: Visit, circle: Circle) -> Inside:
    """Count and list the firms within the circle, prospects by priority."""
    places = visit.reading.once(located)
    far = distances(places, circle.lon, circle.lat)
    near = far <= circle.radius_m
    held = visit.reading.once(ours)
    prospects = near & ~held
    shown = np.flatnonzero(prospects)[:LISTED]
    by_number = {
        row.company_id: row for row in firms(visit.reading, visit.labels, places.numbers[shown].tolist())
    }
    rows = []
    for i in shown.tolist():
        row = by_number.get(int(places.numbers[i]))
        if row:
            product = visit.labels.product(row.product)
            note = " · ".join(
                part for part in (row.industry, product, formats.distance(float(far[i]))) if part
            )
            rows.append(
                NearRow(row.name, row.href, customer_chip(row.is_customer), note, formats.score(row.priority))
            )
    count = int(prospects.sum())
    return Inside(
        total=formats.count(int(near.sum())),
        customers=formats.count(int((near & held).sum())),
        prospects=formats.count(count),
        prospect_count=count,
        rows=tuple(rows),
        hand=hand_address(visit, circle) if count else "",
        left=f"另有 {count - len(rows):,} 户潜客未列出" if count > len(rows) else "",
    )


def hand_address(visit: Visit, circle: Circle) -> str:
    """Address of the form that sends the prospects of a circle to colleagues; empty for who may not."""
    if not may(visit.viewer, Action.DISPATCH):
        return ""
    return "/dispatch/hand?" + urlencode({"lon": circle.lon, "lat": circle.lat, "radius_m": circle.radius_m})


def map_data(visit: Visit) -> dict[str, Any]:
    """What the drawing needs."""
    reading = visit.reading
    codes = {code for code in pc.unique(reading.table(COMPANIES).column("region_code")).to_pylist() if code}
    names = tuple(sorted((code, visit.labels.region(code)) for code in codes))
    parks = [
        [row["lon"], row["lat"], 0, row["name"]]
        for row in reading.table(PARKS).to_pylist()
        if row["lon"] is not None
    ]
    marks = [
        [row.lon, row.lat, 0, row.name, row.code] for row in reading.once(outlets) if row.kind == "sub_branch"
    ]
    return {
        "districts": reading.once(districts, names),
        "outlets": marks,
        "parks": parks,
        "zoom": reading.once(opening_zoom),
        **reading.once(dots),
    }


@router.get("/map")
def show(visit: Annotated[Visit, Depends(signed_in)]) -> Response:
    """Show the map, centred on the visitor's own outlet."""
    visit.require(Action.SEE_COMPANIES)
    known = visit.reading.once(outlets)
    places = visit.reading.once(located)
    own = next((row for row in known if row.code == visit.unit_code), known[0] if known else None)
    if own is None or not len(places.numbers):
        return visit.render("map.html", key="map", title="营销地图", view=None)
    circle = Circle(lon=own.lon, lat=own.lat, radius_m=5000, outlet=own.code)
    choices = [(row.code, f"{row.name}（{UNIT_LABELS.get(row.kind, row.kind)}）") for row in known]
    return visit.render(
        "map.html",
        key="map",
        title="营销地图",
        view=inside(visit, circle),
        circle=circle,
        outlets=choices,
        data=map_data(visit),
    )


@router.get("/map/inside")
def show_inside(visit: Annotated[Visit, Depends(signed_in)], circle: Annotated[Circle, Query()]) -> Response:
    """Return the list for another circle."""
    visit.require(Action.SEE_COMPANIES)
    return visit.fragment("map_inside.html", view=inside(visit, circle), circle=circle)
