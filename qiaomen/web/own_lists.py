"""Which uploaded customer lists, and which rows of one, lie in the scope of the one who uploads."""

from __future__ import annotations

import json
from typing import Final

from qiaomen.bank import Action, scope_of
from qiaomen.customers import CUSTOMER_RECORDS, UPLOAD_CHANGES, Upload
from qiaomen.vocab import InputRejected, NotFound
from qiaomen.web.reading import Reading
from qiaomen.web.visit import Visit

PLACE: Final = "institution_code"


def own_loads(reading: Reading) -> frozenset[str]:
    """Return the uploads that can be undone, all of whose rows the viewer may see."""
    seen = reading.table(UPLOAD_CHANGES).group_by("load_id").aggregate([([], "count_all")])
    everything = reading.whole.table(UPLOAD_CHANGES).group_by("load_id").aggregate([([], "count_all")])
    rows = dict(zip(seen["load_id"].to_pylist(), seen["count_all"].to_pylist(), strict=True))
    pairs = zip(everything["load_id"].to_pylist(), everything["count_all"].to_pylist(), strict=True)
    return frozenset(load for load, count in pairs if rows.get(load) == count)


def require_own_load(visit: Visit, load_id: str) -> None:
    """Raise ``NotFound`` for an upload that is unknown, was undone, or touched customers outside the scope."""
    if load_id not in visit.reading.once(own_loads):
        raise NotFound("没有可撤销的上传", remedy="从上传记录里选一次")


def require_own_rows(visit: Visit, upload: Upload) -> None:
    """Raise ``InputRejected`` where a list would touch a customer outside the scope, or put one there."""
    scope = scope_of(visit.viewer, Action.UPLOAD_CUSTOMERS)
    if scope.whole_bank:
        return
    records = visit.reading.table(CUSTOMER_RECORDS)
    held = set(zip(records["source"].to_pylist(), records["record_key"].to_pylist(), strict=True))
    outside = 0
    for change in upload.changes.to_pylist():
        after = json.loads(change["after"] or "{}")
        place = after.get(PLACE)
        known = (change["source"], change["record_key"]) in held
        fits = place in scope.institutions if PLACE in after or change["action"] == "insert" else True
        outside += not fits or (change["action"] == "update" and not known)
    if outside:
        raise InputRejected(
            f"有 {outside:,} 行没有写明管户机构，或不属于您管辖",
            remedy="只保留管户机构在辖内的客户，其余请总行办理",
        )
