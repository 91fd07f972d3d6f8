"""The demo bank: one head office, three branches, twelve sub-branches and its staff."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import numpy as np

from qiaomen.demo import words
from qiaomen.demo.companies import park_point

HEAD_OFFICE: Final = "H00"
MANAGERS: Final = 60


@dataclass(slots=True)
class Staff:
    """One entry per post."""

    number: list[str] = field(default_factory=list)
    name: list[str] = field(default_factory=list)
    role: list[str] = field(default_factory=list)
    institution: list[str] = field(default_factory=list)
    capacity: list[int | None] = field(default_factory=list)
    specialities: list[str] = field(default_factory=list)
    since: list[date] = field(default_factory=list)

    def managers(self) -> dict[str, list[str]]:
        """Return the managers' numbers by sub-branch."""
        found: dict[str, list[str]] = {}
        for number, role, unit in zip(self.number, self.role, self.institution, strict=True):
            if role == "manager":
                found.setdefault(unit, []).append(number)
        return found


def institution_columns() -> dict[str, list[Any]]:
    """Return the institutions as columns of the input file."""
    columns: dict[str, list[Any]] = {
        name: []
        for name in (
            "institution_code", "name", "unit_type", "parent_code", "region_codes", "traits", "park_codes", "address",
            "lon", "lat",
        )
    }  # fmt: skip

    def add(*values: Any) -> None:
        for name, value in zip(columns, values, strict=True):
            columns[name].append(value)

    places = {row[0]: row for row in words.DISTRICTS}
    add(HEAD_OFFICE, "示范银行总行", "head_office", "", "31", "", "", "上海市黄浦区江畔路1号", 121.49, 31.235)
    for code, name, districts in words.BRANCHES:
        _, district, _, lon, lat = places[districts[0]]
        add(
            code,
            name,
            "branch",
            HEAD_OFFICE,
            ";".join(districts),
            "",
            "",
            f"上海市{district}锦绣路8号",
            lon,
            lat,
        )
    for position, (code, name, parent, districts, traits, parks) in enumerate(words.SUB_BRANCHES):
        _, district, _, lon, lat = places[districts[0]]
        if parks:
            lon, lat = park_point(parks[0])
        codes = ";".join(f"PK{park + 1:02d}" for park in parks)
        address = f"上海市{district}创新路{100 + position}号"
        add(code, name, "sub_branch", parent, ";".join(districts), traits, codes, address, lon, lat)
    return columns


def park_columns(operators: list[str]) -> dict[str, list[Any]]:
    """Return the parks as columns of the input file; ``operators`` are codes of the operating companies."""
    rows = []
    for index, (region, name, trades) in enumerate(words.PARK_NAMES):
        lon, lat = park_point(index)
        level = ("国家级", "市级", "区级")[index % 3]
        rows.append(
            (f"PK{index + 1:02d}", name, level, region, name, trades, operators[index], lon, lat, 1500)
        )
    names = (
        "park_code", "name", "level", "region_code", "address_words", "trades", "operator_uscc", "lon", "lat", "radius_m",
    )  # fmt: skip
    return {name: [row[position] for row in rows] for position, name in enumerate(names)}


def make_staff(rng: np.random.Generator, names: list[str]) -> Staff:
    """Draw the staff; ``names`` are taken from the front."""
    staff = Staff()
    posts = [("analyst", HEAD_OFFICE), ("administrator", HEAD_OFFICE)]
    posts += [("branch_admin", branch[0]) for branch in words.BRANCHES]
    posts += [("sub_branch_admin", unit[0]) for unit in words.SUB_BRANCHES]
    posts += [
        ("manager", words.SUB_BRANCHES[index % len(words.SUB_BRANCHES)][0]) for index in range(MANAGERS)
    ]
    for position, (role, unit) in enumerate(posts):
        staff.number.append(f"E{position + 1:04d}")
        staff.name.append(names[position])
        staff.role.append(role)
        staff.institution.append(unit)
        staff.capacity.append(int(rng.integers(30, 61)) if role == "manager" else None)
        staff.specialities.append("")
        staff.since.append(date(2024, 1, 1))
    return staff
