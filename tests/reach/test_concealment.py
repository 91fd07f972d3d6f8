"""A path shows nothing of a customer out of the viewer's scope, in no form of it."""

from __future__ import annotations

import json

import pytest

from qiaomen.bank import Viewer
from qiaomen.reach import (
    conceal_introductions,
    conceal_path,
    concealment,
    explain,
    find_paths,
    layout_paths,
    load_warmth,
    load_wording,
    prepare,
    to_record,
    word_introductions,
    word_path,
)
from qiaomen.vocab import Role
from tests.reach.examples import AS_OF, customers, graph, statements
from tests.reach.test_paths import SURROUNDINGS

NAMES = {"B1": "浦东支行", "B2": "徐汇支行"}


def _viewer(role: Role, staff_no: str | None = None, below: frozenset[str] = frozenset()) -> Viewer:
    return Viewer(
        user_id=1,
        login="u",
        name="u",
        roles=frozenset({role}),
        staff_no=staff_no,
        homes=frozenset({"B1"}),
        below=below,
    )


@pytest.fixture(scope="module")
def reaching():
    return prepare(graph(), customers(), AS_OF, load_warmth())


OWN = _viewer(Role.MANAGER, staff_no="m1")
OTHER = _viewer(Role.MANAGER, staff_no="m9")


def test_in_scope_everything_shows(reaching):
    path = find_paths(reaching, 1, statements())[0]
    assert conceal_path(path, concealment(OWN, customers(), NAMES)) == path


def test_out_of_scope_nothing_of_the_customer_shows(reaching):
    conceal, wording = concealment(OTHER, customers(), NAMES), load_wording()
    for company, shown in (
        (1, "浦东支行"),
        (2, "徐汇支行"),
        (5, "浦东支行"),
        (4, "浦东支行"),
        (3, "浦东支行"),
    ):
        path = conceal_path(find_paths(reaching, company, statements())[0], conceal)
        label = f"{shown}客户（需申请转介）"
        last = path.hops[-1]
        assert path.customer_id is None
        assert (last.end.id, last.end.name, last.end.hidden) == (None, label, True)
        assert (last.amount_cny, last.ratio, last.count, last.role, last.since, last.evidence) == (
            None,
        ) * 5 + ((),)
        everything = json.dumps(to_record(path), ensure_ascii=False) + word_path(path, wording)
        everything += "".join(explain(path, wording)) + repr(layout_paths([path]))
        assert label in word_path(path, wording)
        for number in (10, 11, 12):
            assert f"企业{number}" not in everything
            assert f"company:{number}" not in everything
            assert f"c{number}" not in everything


def test_hidden_customers_are_not_joined_in_a_drawing(reaching):
    conceal = concealment(OTHER, customers(), NAMES)
    paths = [conceal_path(path, conceal) for path in find_paths(reaching, 2, statements())]
    hidden = [node for node in layout_paths(paths).nodes if node.node.hidden]
    assert len(hidden) == len(paths)


def test_introductions_are_said_anew(reaching):
    rows = word_introductions(reaching, [1, 7], customers(), statements(), surroundings=SURROUNDINGS)
    seen = conceal_introductions(rows, concealment(OTHER, customers(), NAMES), load_wording())
    assert seen.schema == rows.schema
    assert set(seen["customer_id"].to_pylist()) == {None}
    text = json.dumps(seen.to_pylist(), ensure_ascii=False, default=str)
    assert "支行客户（需申请转介）" in text
    assert not [number for number in (10, 11, 12) if f"企业{number}公司" in text]


def test_an_analyst_reads_no_person_in_an_introduction(reaching):
    rows = word_introductions(reaching, [1, 7], customers(), statements(), surroundings=SURROUNDINGS)
    hops = [hop for row in rows.to_pylist() for hop in json.loads(row["path"]).get("hops", [])]
    persons = {
        node["name"] for hop in hops for node in (hop["start"], hop["end"]) if node["type"] == "person"
    }
    assert persons
    plain = json.dumps(rows.to_pylist(), ensure_ascii=False, default=str)
    assert all(name in plain for name in persons)
    analyst = Viewer(user_id=1, login="u", name="u", roles=frozenset({Role.ANALYST}), whole_bank=True)
    seen = conceal_introductions(rows, concealment(analyst, customers(), NAMES), load_wording())
    text = json.dumps(seen.to_pylist(), ensure_ascii=False, default=str)
    assert not [name for name in persons if name in text]
    assert seen["customer_id"] == rows["customer_id"], "the whole bank's customers stay in sight"


def test_the_administrator_sees_no_customer(reaching):
    path = find_paths(reaching, 1, statements())[0]
    assert (
        conceal_path(path, concealment(_viewer(Role.ADMINISTRATOR), customers(), NAMES)).customer_id is None
    )
