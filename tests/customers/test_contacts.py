"""Refusals hold for a number, an address or a person wherever they come from; contacts name source, basis and date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.bank import Viewer
from qiaomen.customers import (
    CONTACT_OPT_OUTS,
    CONTACT_RECORDS,
    CONTACTS,
    CUSTOMER_MATCHES,
    CUSTOMER_RECORDS,
    attach_contacts,
    contact_key,
    import_opt_outs,
    opt_outs_of,
    opted_out,
    record_opt_out,
    withdraw_opt_out,
)
from qiaomen.registry import COMPANY_RECORDS, COMPANY_REFS, LOADS
from qiaomen.store import Engine, reading, writing
from qiaomen.vocab import InputRejected, NotAllowed, NotFound, Role, Table

NOW = dt.datetime(2026, 3, 1, 8, tzinfo=dt.UTC)
MANAGER = Viewer(1, "m1", "经理", frozenset({Role.MANAGER}), staff_no="M1")
ANALYST = Viewer(2, "ana", "分析师", frozenset({Role.ANALYST}), whole_bank=True)
ADMINISTRATOR = Viewer(3, "root", "管理员", frozenset({Role.ADMINISTRATOR}))


def is_refused(connection: sa.Connection, kind: str, value: str, company: int = 1) -> bool:
    return bool(opted_out(connection, [contact_key(kind, value, company)]))


def test_a_refusal_holds_however_the_number_is_written(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        record_opt_out(MANAGER, connection, 1, "phone", "138-0013 8000", reason="不愿接听", now=NOW)
        record_opt_out(MANAGER, connection, 1, "phone", "13800138000", reason="", now=NOW)
        record_opt_out(MANAGER, connection, 1, "email", " Zhang@Example.com", reason="", now=NOW)
        record_opt_out(MANAGER, connection, 1, "person", "张三", reason="", now=NOW)
    with reading(sql) as connection:
        for value in ("13800138000", "+86 138 0013 8000", "１３８００１３８０００", "8613800138000"):
            assert is_refused(connection, "phone", value, company=9), value
        assert is_refused(connection, "email", "zhang@example.com", company=9)
        assert is_refused(connection, "person", " 张 三", company=1)
        # Another company's person of the same name is somebody else.
        assert not is_refused(connection, "person", "张三", company=2)
        assert not is_refused(connection, "phone", "13800138001")
        rows = opt_outs_of(MANAGER, connection, 1)
        assert [row["kind"] for row in rows] == ["phone", "email", "person"]
        stored = str([dict(row) for row in connection.execute(sa.select(CONTACT_OPT_OUTS)).mappings()])
    for secret in ("13800138000", "138-0013", "zhang@example.com", "张三"):
        assert secret not in stored
        assert secret not in str(rows)


def test_a_refusal_is_lifted_with_a_reason_by_those_who_may(sql: sa.Engine) -> None:
    with writing(sql) as connection:
        record_opt_out(MANAGER, connection, 1, "phone", "13800138000", reason="", now=NOW)
        (row,) = opt_outs_of(MANAGER, connection, 1)
        number = row["opt_out_id"]
        with pytest.raises(NotAllowed):
            withdraw_opt_out(MANAGER, connection, number, reason="误记", now=NOW)
        with pytest.raises(InputRejected):
            withdraw_opt_out(ANALYST, connection, number, reason=" ", now=NOW)
        withdraw_opt_out(ANALYST, connection, number, reason="误记", now=NOW)
        with pytest.raises(NotFound):
            withdraw_opt_out(ANALYST, connection, number, reason="误记", now=NOW)
        assert not is_refused(connection, "phone", "13800138000")
        record_opt_out(MANAGER, connection, 1, "phone", "13800138000", reason="又拒绝", now=NOW)
        assert is_refused(connection, "phone", "13800138000")
        with pytest.raises(NotAllowed):
            record_opt_out(ADMINISTRATOR, connection, 1, "phone", "13800138000", reason="", now=NOW)
    with reading(sql) as connection:
        actions = connection.execute(sa.text("SELECT action FROM audit_log ORDER BY number")).scalars().all()
    assert actions == ["change.opt_out", "change.opt_in", "change.opt_out"]


def test_a_list_may_state_refusals_and_staff_have_the_last_word(sql: sa.Engine) -> None:
    listed = [{"company_id": 1, "kind": "phone", "value": "13800138000", "person_name": "张三"}] * 2
    with writing(sql) as connection:
        assert import_opt_outs(connection, listed, NOW) == 2
        assert import_opt_outs(connection, listed, NOW) == 0
        assert is_refused(connection, "phone", "13800138000")
        assert is_refused(connection, "person", "张三")
        for row in opt_outs_of(ANALYST, connection, 1):
            withdraw_opt_out(ANALYST, connection, row["opt_out_id"], reason="本人同意", now=NOW)
        import_opt_outs(connection, listed, NOW)
        assert not is_refused(connection, "phone", "13800138000")


@given(
    st.text(alphabet="0123456789", min_size=7, max_size=11), st.lists(st.sampled_from(" -()（）"), max_size=6)
)
def test_signs_between_digits_do_not_matter(digits: str, signs: list[str]) -> None:
    written = "".join(
        sign + digit for sign, digit in zip([*signs, *[""] * len(digits)], digits, strict=False)
    )
    assert contact_key("phone", written, 1) == contact_key("phone", digits, 2)


@pytest.mark.parametrize(("kind", "value"), [("fax", "1"), ("phone", " "), ("email", ""), ("person", "　")])
def test_what_is_no_contact_is_refused(kind: str, value: str) -> None:
    if kind == "person":
        assert contact_key(kind, "张", 1) != contact_key(kind, "张", 2)
        return
    with pytest.raises(InputRejected):
        contact_key(kind, value, 1)


def made(table: Table, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist([{name: row.get(name) for name in table.names} for row in rows], table.schema)


def test_contacts_come_from_every_source_with_basis_and_date(tmp_path: Path) -> None:
    loaded = dt.datetime(2026, 2, 3, 4, tzinfo=dt.UTC)
    with Engine(temp=tmp_path) as engine:
        rows = engine.arrow(
            attach_contacts(
                engine.memory(made(CONTACT_RECORDS, [
                    {"company_ref": "name:甲", "person_name": "张三", "post": "财务总监", "phone": "13800138000",
                     "email": "z@a.cn", "lawful_basis": "consent", "collected_on": dt.date(2026, 1, 1),
                     "opted_out": True, "source": "contacts", "record_key": "1", "load_id": "L1"},
                    {"customer_no": "C9", "phone": "13900139000", "lawful_basis": "contract",
                     "collected_on": dt.date(2026, 1, 2), "source": "contacts", "record_key": "2", "load_id": "L1"},
                    {"company_ref": "name:无", "phone": "1", "source": "contacts", "record_key": "3", "load_id": "L1"},
                ])),
                engine.memory(made(CUSTOMER_RECORDS, [
                    {"customer_no": "C9", "phone": "021-1", "contact": "李四", "source": "customers",
                     "record_key": "9", "load_id": "L2"},
                    {"customer_no": "C8", "phone": None, "source": "customers", "record_key": "8", "load_id": "L2"},
                ])),
                engine.memory(made(COMPANY_RECORDS, [
                    {"company_ref": "name:甲", "phone": "021-2", "email": "a@a.cn", "observed_on": dt.date(2025, 5, 5),
                     "source": "companies", "record_key": "5", "load_id": "L2"},
                ])),
                engine.memory(made(CUSTOMER_MATCHES, [
                    {"source": "customers", "record_key": "9", "customer_no": "C9", "company_id": 2},
                ])),
                engine.memory(made(COMPANY_REFS, [
                    {"ref": "name:甲", "company_id": 1}, {"ref": "name:无", "company_id": None},
                ])),
                engine.memory(pa.table({"source": ["contacts", "customers", "companies"],
                                        "lawful_basis": ["consent", "consent", "disclosed"]})),
                engine.memory(made(LOADS, [
                    {"load_id": load, "file": "f", "table": "t", "loaded_at": loaded} for load in ("L1", "L2")
                ])),
            ),
            CONTACTS,
        ).to_pylist()  # fmt: skip
    found = {
        (row["company_id"], row["kind"], row["value"]): (
            row["origin"],
            row["lawful_basis"],
            row["collected_on"],
        )
        for row in rows
    }
    assert found == {
        (1, "phone", "13800138000"): ("contacts", "consent", dt.date(2026, 1, 1)),
        (1, "email", "z@a.cn"): ("contacts", "consent", dt.date(2026, 1, 1)),
        (2, "phone", "13900139000"): ("contacts", "contract", dt.date(2026, 1, 2)),
        (2, "phone", "021-1"): ("customers", "consent", dt.date(2026, 2, 3)),
        (1, "phone", "021-2"): ("registry", "disclosed", dt.date(2025, 5, 5)),
        (1, "email", "a@a.cn"): ("registry", "disclosed", dt.date(2025, 5, 5)),
    }
    assert {row["value"] for row in rows if row["opted_out"]} == {"13800138000", "z@a.cn"}
    assert {row["person_name"] for row in rows} == {"张三", "李四", None}
