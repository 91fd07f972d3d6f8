"""The access policy: default deny, scopes, masking, referral wording; one case that may beside each that may not."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import (
    CLEAR,
    POLICY,
    Action,
    DataKind,
    Scope,
    Viewer,
    access_tables,
    blanked_text,
    customer_name,
    kind_of,
    mask,
    mask_row,
    may,
    pool_institutions,
    require,
    require_row,
    scope_institutions,
    scope_of,
)
from qiaomen.customers import CUSTOMER_RECORDS, DEALINGS
from qiaomen.vocab import NotAllowed, NotFound, Role


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


ROW = {
    "customer_no": "C1",
    "name": "甲公司",
    "phone": "13812345678",
    "contact": "王小明",
    "institution_code": "S1",
}
DEALING = {"customer_no": "C1", "balance_cny": 1.0, "kind": "loan"}


def test_kinds_not_in_clear_are_masked() -> None:
    data = pa.table({name: [value] for name, value in ROW.items()})
    assert mask(MANAGER, CUSTOMER_RECORDS, data).equals(data)
    assert mask_row(MANAGER, CUSTOMER_RECORDS, ROW) == ROW
    hidden = ROW | {"phone": "138****5678", "contact": "王**"}
    assert mask(ANALYST, CUSTOMER_RECORDS, data).to_pylist() == [hidden]
    assert mask_row(ANALYST, CUSTOMER_RECORDS, ROW) == hidden
    assert mask_row(ANALYST, DEALINGS, DEALING)["balance_cny"] == 1.0
    assert mask_row(ADMINISTRATOR, DEALINGS, DEALING)["balance_cny"] is None
    assert mask_row(ADMINISTRATOR, CUSTOMER_RECORDS, ROW)["customer_no"] == "C*"
    assert mask_row(viewer(Role.INTEGRATOR), DEALINGS, DEALING) == DEALING | {"balance_cny": None}
    assert mask_row(NOBODY, DEALINGS, DEALING)["kind"] != "loan"
    both = viewer(Role.MANAGER, Role.ANALYST, whole_bank=True)
    assert mask_row(both, CUSTOMER_RECORDS, ROW) == hidden


def test_a_credential_and_an_unclassified_column_are_read_by_nobody() -> None:
    assert all(DataKind.CREDENTIAL not in kinds for kinds in CLEAR.values())
    assert kind_of("customers", "just_added") is DataKind.CREDENTIAL
    assert set(CLEAR) == set(Role) == set(POLICY)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("电话13812345678。", "电话138****5678。"),
        ("座机 021-55550000 转 2", "座机 021*****0000 转 2"),
        ("写信给 wang@example.com", "写信给 wan*********.com"),
        ("身份证 310115199001011234", "身份证 310***********1234"),
        ("代码 91310115MA1FW00005", "代码 91310115MA1FW00005"),
        ("金额 12000000 元，编号 310115999999991234", "金额 12000000 元，编号 310115999999991234"),
        ("董事王海峰与王海", "董事王**与王*"),
    ],
)
def test_texts_are_blanked(text: str, shown: str) -> None:
    assert blanked_text(text, ["王海", "王海峰", "王"]) == shown


@given(st.text(max_size=40), st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True), st.text(max_size=40))
def test_no_telephone_stands_in_a_blanked_text(before: str, number: str, after: str) -> None:
    text = f"{before} {number} {after}"
    assert number not in blanked_text(text) or text.count(number) > 1


def test_the_page_says_what_the_policy_says() -> None:
    page = (Path(__file__).parents[2] / "docs" / "access.md").read_text(encoding="utf-8")
    assert page.partition("<!-- generated -->\n\n")[2] == access_tables(), "run scripts/access_page.py"
