import datetime as dt
import threading
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from qiaomen.bank import Viewer, create_user, viewer_by_login
from qiaomen.connectors import CRM_UPDATES, CrmReceipt, CrmUpdate, receive_crm_update
from qiaomen.customers import CUSTOMERS
from qiaomen.dispatch import ALLOCATIONS, LEADS, create_tasks, get_task, task_history, task_words
from qiaomen.reach import INTRODUCTIONS
from qiaomen.store import reading, writing
from qiaomen.vocab import Conflict, InputRejected, NotFound, Role, Table

NOW = dt.datetime(2026, 3, 2, 2, tzinfo=dt.UTC)


def rows(table: Table, *given: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist(list(given), schema=table.schema)


@pytest.fixture
def task(sql: sa.Engine) -> tuple[sa.Engine, Viewer, int]:
    """One unclaimed task and the analyst on whose behalf the CRM speaks."""
    lead = {
        "lead_id": "l1",
        "company_id": 1,
        "origin": "opportunity",
        "product": "kqd",
        "is_customer": False,
        "priority": 1.0,
        "why_now": "中标",
        "admitted": True,
    }
    place = {"lead_id": "l1", "company_id": 1, "rule": "region", "reason": "x", "hold_out": False, "rank": 1}
    with writing(sql) as connection:
        create_user(connection, "crm", "客户关系系统", role=Role.ANALYST, now=NOW)
        create_tasks(
            connection,
            rows(LEADS, lead),
            rows(ALLOCATIONS, place),
            words=task_words({1: "甲公司"}, {"kqd": "科企贷"}),
            introductions=rows(INTRODUCTIONS),
            customers=rows(CUSTOMERS),
            generation=1,
            now=NOW,
        )
        viewer = viewer_by_login(connection, "crm", NOW)
        number = connection.execute(sa.text("SELECT task_id FROM tasks")).scalar_one()
    return sql, viewer, number


def withdraw(number: int, key: str = "k1", **more: Any) -> CrmUpdate:
    return CrmUpdate(key, number, "withdraw", **({"reason": "CRM 已结束"} | more))


def receive(sql: sa.Engine, viewer: Viewer, update: CrmUpdate) -> CrmReceipt:
    with writing(sql) as connection:
        return receive_crm_update(viewer, connection, update, now=NOW)


def test_an_update_is_carried_out_once(task: tuple[sa.Engine, Viewer, int]) -> None:
    sql, viewer, number = task
    first = receive(sql, viewer, withdraw(number))
    again = receive(sql, viewer, withdraw(number))
    assert (first.state, first.repeated) == ("closed", False)
    assert (again.state, again.version, again.repeated) == (first.state, first.version, True)
    with reading(sql) as connection:
        assert get_task(viewer, connection, number).state == "closed"
        assert [row.event for row in task_history(viewer, connection, number)].count("withdraw") == 1


def test_a_key_means_one_content(task: tuple[sa.Engine, Viewer, int]) -> None:
    sql, viewer, number = task
    receive(sql, viewer, withdraw(number))
    with pytest.raises(Conflict):
        receive(sql, viewer, withdraw(number, reason="另一个原因"))


def test_a_refused_update_leaves_its_key_free(task: tuple[sa.Engine, Viewer, int]) -> None:
    sql, viewer, number = task
    with pytest.raises(Conflict):
        receive(sql, viewer, withdraw(number, expected_version=99))
    with reading(sql) as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(CRM_UPDATES)).scalar_one() == 0
    assert receive(sql, viewer, withdraw(number)).state == "closed"


@pytest.mark.parametrize(
    ("update", "error"),
    [
        (CrmUpdate("", 1, "withdraw"), InputRejected),
        (CrmUpdate("k" * 201, 1, "withdraw"), InputRejected),
        (CrmUpdate("k", 1, "explode"), InputRejected),
        (CrmUpdate("k", 999_999, "withdraw", "x"), NotFound),
    ],
)
def test_a_wrong_update_is_refused(
    task: tuple[sa.Engine, Viewer, int], update: CrmUpdate, error: type[Exception]
) -> None:
    sql, viewer, _ = task
    with pytest.raises(error):
        receive(sql, viewer, update)


def test_of_many_at_once_one_is_carried_out(task: tuple[sa.Engine, Viewer, int]) -> None:
    sql, viewer, number = task
    receipts: list[CrmReceipt] = []
    threads = [
        threading.Thread(target=lambda: receipts.append(receive(sql, viewer, withdraw(number))))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipt.repeated for receipt in receipts) == [False, True, True, True]
