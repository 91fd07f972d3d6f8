"""The made-up city: the same seed gives the same bytes, the promised sizes, and truths that hold."""

from __future__ import annotations

import csv
import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from qiaomen.demo import DEMO_AS_OF, Size, write_demo
from qiaomen.demo.companies import make_uscc
from qiaomen.demo.lists import DIRT, dirty_name
from qiaomen.vocab import RelationKind, check_uscc

SMALL = Size(
    companies=900, persons=1200, customers=150, events=800, texts=40, changes=90, contacts=200, known_paths=4
)


def rows(path: Path, encoding: str = "utf-8-sig") -> list[dict[str, str]]:
    with path.open(encoding=encoding, newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("city")
    write_demo(folder / "inbox", folder / "answers", size=SMALL)
    return folder


def digest(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_same_seed_same_bytes(city: Path, tmp_path: Path) -> None:
    write_demo(tmp_path / "inbox", tmp_path / "answers", size=SMALL)
    assert digest(tmp_path) == digest(city)


def test_other_seed_other_city(city: Path, tmp_path: Path) -> None:
    write_demo(tmp_path / "inbox", tmp_path / "answers", size=SMALL, seed=7)
    assert digest(tmp_path)["companies.csv"] != digest(city)["companies.csv"]


def test_sizes_are_as_asked(city: Path) -> None:
    inbox = city / "inbox"
    assert len(rows(inbox / "companies.csv")) == SMALL.companies
    assert len(rows(inbox / "persons.csv")) == SMALL.persons
    assert len(rows(inbox / "opportunities.csv")) == SMALL.events
    assert len(rows(inbox / "announcements.csv")) == SMALL.texts
    assert len(rows(city / "answers/matches.csv")) == SMALL.customers
    assert len(rows(inbox / "parks.csv")) == 30
    units = Counter(row["unit_type"] for row in rows(inbox / "institutions.csv"))
    assert units == {"head_office": 1, "branch": 3, "sub_branch": 12}
    assert Counter(row["role"] for row in rows(inbox / "staff.csv"))["manager"] == 60


def test_every_stated_relation_kind_is_there(city: Path) -> None:
    kinds = {row["kind"] for row in rows(city / "inbox/relations.csv")}
    # Supply and chain relations come from their own files.
    assert kinds == {
        str(kind)
        for kind in (
            RelationKind.OFFICE,
            RelationKind.SHAREHOLDING,
            RelationKind.INVESTMENT,
            RelationKind.GUARANTEE,
            RelationKind.TRANSACTION,
            RelationKind.SHARED_IP,
            RelationKind.BRANCH_OF,
        )
    }


def test_nobody_owns_more_than_all_of_a_company(city: Path) -> None:
    held: Counter[str] = Counter()
    for row in rows(city / "inbox/relations.csv"):
        if row["kind"] == "shareholding":
            held[row["to_uscc"]] += round(float(row["ratio"]) * 10_000)
    assert max(held.values()) <= 10_000


def test_codes_are_valid_and_unique(city: Path) -> None:
    codes = [row["统一社会信用代码"] for row in rows(city / "inbox/companies.csv")]
    assert len(set(codes)) == len(codes)
    assert all(check_uscc(code) is None for code in codes)


def test_serials_never_share_a_code() -> None:
    assert len({make_uscc("310115", serial) for serial in range(20_000)}) == 20_000


def test_nothing_happens_after_the_fixed_date(city: Path) -> None:
    last = DEMO_AS_OF.isoformat()
    assert all(row["发布日期"] <= last for row in rows(city / "inbox/opportunities.csv"))
    assert all(row["contacted_on"] <= last for row in rows(city / "inbox/outcomes.csv"))
    assert all(row["成立日期"] <= last for row in rows(city / "inbox/companies.csv"))


def test_planted_paths_share_one_director_and_nothing_else(city: Path) -> None:
    relations = rows(city / "inbox/relations.csv")
    paths = rows(city / "answers/paths.csv")
    assert len(paths) == SMALL.known_paths
    for path in paths:
        touching = [row for row in relations if path["prospect_uscc"] in (row["from_uscc"], row["to_uscc"])]
        assert {(row["kind"], row["from_person_no"]) for row in touching} <= {
            ("office", path["person_no"]),
            *((row["kind"], row["from_person_no"]) for row in touching if row["kind"] == "branch_of"),
        }
        seats = {row["to_uscc"] for row in relations if row["from_person_no"] == path["person_no"]}
        assert seats == {path["prospect_uscc"], path["customer_uscc"]}


def test_every_kind_of_dirt_occurs(city: Path) -> None:
    kinds = {row["dirt"] for row in rows(city / "answers/matches.csv")}
    assert kinds == {name for name, _ in DIRT} | {"wrong sign"}


def test_dirt_changes_the_name_or_says_clean() -> None:
    rng = np.random.default_rng(1)
    name = "上海瑞芯特集成电路科技股份有限公司"
    for _ in range(300):
        changed, kind = dirty_name(rng, name)
        assert (changed == name) <= (kind in {"clean", "traditional", "wrong sign"})


def test_one_list_is_gb18030_and_one_a_workbook(city: Path) -> None:
    assert (
        len(rows(city / "inbox/客户清单_补报.csv", "gb18030")) == SMALL.customers - SMALL.customers * 17 // 20
    )
    assert (city / "inbox/存量客户清单.xlsx").read_bytes()[:2] == b"PK"


def test_some_companies_hold_each_other_in_a_circle(city: Path) -> None:
    holds = {
        (row["from_uscc"], row["to_uscc"])
        for row in rows(city / "inbox/relations.csv")
        if row["kind"] == "shareholding" and row["from_uscc"]
    }
    ahead: dict[str, set[str]] = {}
    for holder, held in holds:
        ahead.setdefault(holder, set()).add(held)
    rings = {one for one, two in holds for three in ahead.get(two, ()) if one in ahead.get(three, ())}
    assert len(rings) >= 12
