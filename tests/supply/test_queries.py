from __future__ import annotations

from datetime import date

from qiaomen.store import Engine
from qiaomen.supply import buyers_of, core_enterprises_served, rollup_supply, suppliers_of
from tests.supply.plain import AS_OF, RULE, document, records


def test_suppliers_buyers_and_core_enterprises_of_a_firm():
    days = [date(2025, month, 1) for month in (1, 2, 3)]
    rows = [document(1, 2, 5.0), document(1, 3, 9.0), document(4, 2, 7.0), document(5, 2, 7.0)]
    for supplier in (11, 12, 13):
        for buyer, amount in ((99, 50.0), (21, 1.0), (22, 1.0), (23, 1.0), (24, 1.0)):
            rows += [document(supplier, buyer, amount, day) for day in days]
    with Engine() as engine:
        result = rollup_supply(engine.memory(records(rows)), AS_OF, RULE, keep=engine.keep)
        buyers = engine.arrow(buyers_of(result.pairs, 1)).column("buyer_id").to_pylist()
        suppliers = engine.arrow(suppliers_of(result.pairs, 2)).column("supplier_id").to_pylist()
        served = engine.arrow(core_enterprises_served(result.pairs, result.core_enterprises, 12)).to_pylist()
    assert buyers == [3, 2]
    assert suppliers == [4, 5, 1]
    assert [(row["buyer_id"], row["served_by"]) for row in served] == [(99, 3)]
