"""How a company's people are reached: contacts with source, lawful basis and date; who refused to be contacted.

Reads contact_records, customer_records, company_records; returns the lake table ``contacts``. Owns the SQL table
``contact_opt_outs``. A refusal holds for the number, address or person wherever it comes from, at once; it keeps a
hash and a masked form, not the value.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, audit, require
from qiaomen.customers.book import company_of_number
from qiaomen.customers.schema import CONTACT_OPT_OUTS
from qiaomen.customers.tables import CONTACTS
from qiaomen.store import insert_missing
from qiaomen.vocab import InputRejected, NotFound

if TYPE_CHECKING:
    import ibis.expr.types as ir

KINDS: Final = ("phone", "email", "person")
KIND_LABELS: Final = {"phone": "电话", "email": "邮箱", "person": "联系人"}
STAFF, LIST = "staff", "list"
LONGEST_REASON: Final = 200
_NOT_DIGIT: Final = re.compile(r"\D")
Key = tuple[str, str]


def contact_key(kind: str, value: str, company_id: int) -> Key:
    """Return (kind, hash) under which a refusal is kept; a person counts within the one company."""
    if kind not in KINDS:
        raise InputRejected(f"没有“{kind}”这种联系方式", remedy=f"可用：{'、'.join(KINDS)}")
    text = unicodedata.normalize("NFKC", value).strip().lower()
    if kind == "phone":
        digits = _NOT_DIGIT.sub("", text)
        digits = digits[2:] if len(digits) > 11 and digits.startswith("86") else digits
        text = digits or text
    if kind == "person":
        text = f"{company_id}:{''.join(text.split())}"
    if not text:
        raise InputRejected("联系方式为空", remedy="填写要登记的联系方式")
    return kind, hashlib.sha256(f"{kind}\n{text}".encode()).hexdigest()


def mask_contact(value: str) -> str:
    """Return a form that reminds of the value and does not give it away."""
    shown = value.strip()
    if not shown:
        return ""
    if len(shown) < 7:
        return f"{shown[:1]}{'*' * max(1, len(shown) - 1)}"
    return f"{shown[:3]}****{shown[-2:]}"


def opted_out(connection: Connection, keys: Iterable[Key]) -> frozenset[Key]:
    """Return those of the keys that are under a refusal."""
    wanted = list(dict.fromkeys(keys))
    if not wanted:
        return frozenset()
    table = CONTACT_OPT_OUTS.c
    found = connection.execute(
        sa.select(table.kind, table.value_hash).where(
            table.value_hash.in_([value for _, value in wanted]), table.withdrawn_at.is_(None)
        )
    )
    return frozenset((kind, value) for kind, value in found) & frozenset(wanted)


def record_opt_out(
    viewer: Viewer,
    connection: Connection,
    company_id: int,
    kind: str,
    value: str,
    *,
    reason: str,
    now: datetime,
) -> None:
    """Note that a person refused to be contacted this way; whoever may see the company may note it. Once is enough."""
    require(viewer, Action.SEE_COMPANIES)
    if len(reason) > LONGEST_REASON:
        raise InputRejected(f"说明不超过 {LONGEST_REASON} 字", remedy="精简说明")
    key = contact_key(kind, value, company_id)
    row = _row(key, value, company_id, reason.strip(), STAFF, viewer.login, now)
    if insert_missing(connection, CONTACT_OPT_OUTS, [row], unique=("kind", "value_hash")) or _renew(
        connection, key, row
    ):
        audit(connection, viewer, "change.opt_out", f"company:{company_id}", {"kind": kind}, now=now)


def _row(
    key: Key, value: str, company_id: int, reason: str, origin: str, by: str, now: datetime
) -> dict[str, Any]:
    return {
        "kind": key[0],
        "value_hash": key[1],
        "shown": mask_contact(value)[:64],
        "company_id": company_id,
        "reason": reason,
        "origin": origin,
        "recorded_by": by,
        "recorded_at": now,
    }


def _renew(connection: Connection, key: Key, row: Mapping[str, Any]) -> bool:
    """Put a withdrawn refusal in force again."""
    table = CONTACT_OPT_OUTS.c
    changed = connection.execute(
        sa.update(CONTACT_OPT_OUTS)
        .where(table.kind == key[0], table.value_hash == key[1], table.withdrawn_at.is_not(None))
        .values(**row, withdrawn_by=None, withdrawn_at=None)
    )
    return changed.rowcount == 1


def withdraw_opt_out(
    viewer: Viewer, connection: Connection, opt_out_id: int, *, reason: str, now: datetime
) -> None:
    """Lift a refusal that was noted by mistake or taken back by the person; a reason is needed."""
    require(viewer, Action.UPLOAD_CUSTOMERS)
    if not reason.strip() or len(reason) > LONGEST_REASON:
        raise InputRejected("请写明撤销的原因", remedy=f"1 至 {LONGEST_REASON} 字")
    table = CONTACT_OPT_OUTS.c
    changed = connection.execute(
        sa.update(CONTACT_OPT_OUTS)
        .where(table.opt_out_id == opt_out_id, table.withdrawn_at.is_(None))
        .values(withdrawn_by=viewer.login, withdrawn_at=now)
    )
    if changed.rowcount != 1:
        raise NotFound("没有这条拒绝联系登记", remedy="刷新后重试")
    audit(connection, viewer, "change.opt_in", f"opt_out:{opt_out_id}", {"reason": reason.strip()}, now=now)


def opt_outs_of(viewer: Viewer, connection: Connection, company_id: int) -> list[dict[str, Any]]:
    """Return the refusals in force that were noted at a company, masked."""
    require(viewer, Action.SEE_COMPANIES)
    table = CONTACT_OPT_OUTS.c
    columns = (table.opt_out_id, table.kind, table.shown, table.reason, table.origin, table.recorded_at)
    rows = connection.execute(
        sa.select(*columns)
        .where(table.company_id == company_id, table.withdrawn_at.is_(None))
        .order_by(table.opt_out_id)
    )
    return [dict(row) for row in rows.mappings()]


def import_opt_outs(connection: Connection, contacts: Iterable[Mapping[str, Any]], now: datetime) -> int:
    """Take up the refusals that a loaded list states and return those new; one withdrawn by staff stays withdrawn."""
    rows = []
    for contact in contacts:
        number = int(contact["company_id"])
        for kind, value in ((contact["kind"], contact["value"]), ("person", contact["person_name"])):
            if value:
                key = contact_key(kind, value, number)
                rows.append(_row(key, value, number, "名单注明拒绝联系", LIST, "system", now))
    unique = {(row["kind"], row["value_hash"]): row for row in rows}
    added = insert_missing(connection, CONTACT_OPT_OUTS, list(unique.values()), unique=("kind", "value_hash"))
    if added:
        audit(connection, None, "change.opt_out", "contacts", {"rows": len(added)}, now=now)
    return len(added)


def attach_contacts(
    contact_records: ir.Table,
    customer_records: ir.Table,
    company_records: ir.Table,
    customer_matches: ir.Table,
    company_refs: ir.Table,
    sources: ir.Table,
    loads: ir.Table,
) -> ir.Table:
    """Return ``contacts``. ``sources`` gives (source, lawful_basis) as declared; where a row states none, that counts.

    The date is the row's own, else that of its load (UTC). Rows of no known company are left out.
    """
    import ibis

    refs = company_refs.select(company_ref="ref", by_ref="company_id")
    numbers = company_of_number(customer_matches).rename(by_number="company_id")
    matched = customer_matches.select("source", "record_key", by_match="company_id")

    own = contact_records.left_join(refs, "company_ref")
    own = own.left_join(numbers, own.customer_no == numbers.customer_no)
    own = own.mutate(company_id=ibis.coalesce(own.by_ref, own.by_number), origin=ibis.literal("contacts"))
    listed = customer_records.left_join(matched, ["source", "record_key"])
    listed = listed.mutate(
        company_id=listed.by_match,
        origin=ibis.literal("customers"),
        person_name=listed.contact,
        collected_on=ibis.null("date"),
    )
    known = company_records.left_join(refs, "company_ref")
    known = known.mutate(
        company_id=known.by_ref, origin=ibis.literal("registry"), collected_on=known.observed_on
    )
    parts = [
        _part(own, "phone"),
        _part(own, "email"),
        _part(listed, "phone"),
        _part(known, "phone"),
        _part(known, "email"),
    ]
    rows = ibis.union(*parts)
    declared = sources.select("source", declared_basis="lawful_basis")
    days = loads.group_by("load_id").aggregate(loaded_on=loads.loaded_at.max().date())
    rows = rows.left_join(declared, "source").left_join(days, "load_id")
    rows = rows.mutate(
        lawful_basis=ibis.coalesce(rows.lawful_basis, rows.declared_basis),
        collected_on=ibis.coalesce(rows.collected_on, rows.loaded_on),
    )
    return rows.select(*CONTACTS.names)


def _part(rows: ir.Table, kind: str) -> ir.Table:
    """Return the contacts of one kind in the shape of all parts."""
    import ibis

    def column(name: str, type_: str) -> ir.Value:
        return rows[name] if name in rows.columns else ibis.null(type_)

    found = rows.filter(rows.company_id.notnull() & rows[kind].notnull() & (rows[kind] != ""))
    return found.select(
        company_id=rows.company_id,
        kind=ibis.literal(kind),
        value=rows[kind],
        person_name=column("person_name", "string"),
        post=column("post", "string"),
        origin=rows.origin,
        lawful_basis=column("lawful_basis", "string"),
        collected_on=column("collected_on", "date"),
        opted_out=ibis.coalesce(column("opted_out", "boolean"), ibis.literal(False)),
        source=rows.source,
        record_key=rows.record_key,
        load_id=rows.load_id,
    )
