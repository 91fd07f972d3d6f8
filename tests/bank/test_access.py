"""The access policy: default deny, scopes, masking, referral wording; one case that may beside each that may not."""

from __future__ import annotations

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import (
    Action,
    Scope,
    Viewer,
    customer_name,
    mask,
    mask_row,
    may,
    pool_institutions,
    require,
    require_row,
    scope_institutions,
    scope_of,
)
from qiaomen.vocab import Column, DataClass, NotAllowed, NotFound, Role, Table


def viewer(*roles: Role, **more: object) -> Viewer:
    return Viewer(user_id=1, login="u", name="某", roles=frozenset(roles), **more)  # type: ignore[arg-type]


MANAGER = viewer(Role.MANAGER, staff_no="M1", homes=frozenset({"S1"}))
SUB_BRANCH = viewer(Role.SUB_BRANCH_ADMIN, staff_no="A1", homes=frozenset({"S1"}), below=frozenset({"S1"}))
BRANCH = viewer(Role.BRANCH_ADMIN, homes=frozenset({"B1"}), below=frozenset({"B1", "S1", "S2"}))
ANALYST = viewer(Role.ANALYST, whole_bank=True)
ADMINISTRATOR = viewer(Role.ADMINISTRATOR, staff_no="Z1", homes=frozenset({"HQ"}))
TOKEN = viewer(Role.INTEGRATOR, below=frozenset({"S1"}), actions=frozenset({"see_tasks"}))
NOBODY = viewer()


@pytest.mark.parametrize(
    ("who", "rows"),
    [
        (MANAGER, [True, False, False, False]),
        (SUB_BRANCH, [True, True, False, False]),
        (BRANCH, [True, True, True, False]),
        (ANALYST, [True, True, True, True]),
        (ADMINISTRATOR, [False] * 4),
        (TOKEN, [True, True, False, False]),
        (NOBODY, [False] * 4),
    ],
)
def test_rows_in_scope(who: Viewer, rows: list[bool]) -> None:
    data = [("S1", "M1"), ("S1", "M2"), ("S2", None), (None, None)]
    scope = scope_of(who)
    assert [scope.covers(code, manager) for code, manager in data] == rows
    columns = pa.table(
        {"code": [code for code, _ in data], "manager": pa.array([no for _, no in data], pa.string())}
    )
    assert scope.mask(columns["code"], columns["manager"]).to_pylist() == rows
    for (code, manager), seen in zip(data, rows, strict=True):
        if seen:
            require_row(who, code, manager)
        else:
            with pytest.raises(NotFound):
                require_row(who, code, manager)


@given(
    st.builds(
        Scope,
        whole_bank=st.booleans(),
        institutions=st.frozensets(st.sampled_from(["S1", "S2", "B1"])),
        manager_nos=st.frozensets(st.sampled_from(["M1", "M2"])),
    ),
    st.lists(
        st.tuples(st.sampled_from([None, "S1", "S2", "X"]), st.sampled_from([None, "M1", "M3"])), max_size=6
    ),
)
def test_the_three_forms_of_a_scope_agree(scope: Scope, rows: list[tuple[str | None, str | None]]) -> None:
    expected = [scope.covers(code, manager) for code, manager in rows]
    codes = pa.chunked_array([[code for code, _ in rows]], pa.string())
    managers = pa.chunked_array([[no for _, no in rows]], pa.string())
    assert scope.mask(codes, managers).to_pylist() == expected
    engine = sa.create_engine("sqlite://")
    table = sa.Table("t", sa.MetaData(), *(sa.Column(name, sa.String) for name in ("n", "code", "manager")))
    with engine.begin() as connection:
        table.create(connection)
        for number, (code, manager) in enumerate(rows):
            connection.execute(table.insert().values(n=str(number), code=code, manager=manager))
        found = connection.execute(sa.select(table.c.n).where(scope.clause([table.c.code], table.c.manager)))
        seen = {int(number) for (number,) in found}
    engine.dispose()
    assert [number in seen for number in range(len(rows))] == expected


def test_actions_are_denied_unless_granted() -> None:
    assert may(MANAGER, Action.WORK_TASKS)
    assert not may(MANAGER, Action.DISPATCH)
    assert may(BRANCH, Action.DISPATCH)
    assert not may(ADMINISTRATOR, Action.SEE_CUSTOMERS)
    assert may(ADMINISTRATOR, Action.MANAGE_USERS)
    assert not any(may(NOBODY, action) for action in Action)
    assert [action for action in Action if may(TOKEN, action)] == [Action.SEE_TASKS]
    require(BRANCH, Action.DISPATCH)
    with pytest.raises(NotAllowed, match="角色"):
        require(MANAGER, Action.DISPATCH)
    assert scope_institutions(ANALYST) is None
    assert scope_institutions(BRANCH) == {"B1", "S1", "S2"}
    assert pool_institutions(MANAGER) == {"S1"}
    assert pool_institutions(ADMINISTRATOR) == frozenset()


def test_a_customer_out_of_scope_is_a_referral() -> None:
    where = {"institution_code": "S2", "institution_name": "张江支行", "manager_no": "M9"}
    assert customer_name(BRANCH, "甲公司", **where) == "甲公司"
    assert customer_name(MANAGER, "甲公司", **where) == "张江支行客户（需申请转介）"
    assert "甲公司" not in customer_name(ADMINISTRATOR, "甲公司", **where | {"institution_name": None})


TABLE = Table(
    "t",
    "bank",
    "t",
    (
        Column("name", "string", "n"),
        Column("phone", "string", "p", DataClass.SENSITIVE),
        Column("balance_cny", "float64", "b", DataClass.SENSITIVE),
        Column("secret", "string", "s", DataClass.CORE),
    ),
    ("name",),
)
ROW = {"name": "甲公司", "phone": "13812345678", "balance_cny": 1.0, "secret": "密"}


def test_classes_not_in_clear_are_masked() -> None:
    data = pa.Table.from_pylist([ROW, ROW | {"phone": None}], schema=TABLE.schema)
    assert mask(MANAGER, TABLE, data).equals(data)
    assert mask_row(MANAGER, TABLE, ROW) == ROW
    hidden = mask(ADMINISTRATOR, TABLE, data).to_pylist()
    assert hidden[0] == {"name": "甲公司", "phone": "138****5678", "balance_cny": None, "secret": "密*"}
    assert hidden[1]["phone"] is None
    assert mask_row(ADMINISTRATOR, TABLE, ROW) == hidden[0]
    assert mask_row(ANALYST, TABLE, ROW) == ROW | {"secret": "密*"}
