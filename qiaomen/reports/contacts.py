"""How the people of a company may be reached, with source, lawful basis and date; a refusal hides the value.

Reads ``contacts`` of the lake and the refusals in the operational store. Without the store nothing is shown: whether
somebody refused cannot be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy.engine import Connection

from qiaomen.bank import mask_row
from qiaomen.customers import CONTACTS, contact_key, opted_out
from qiaomen.reports.model import Contact, Line
from qiaomen.vocab import BASIS_LABELS, NotFound

if TYPE_CHECKING:
    from qiaomen.reports.profile import Subject

PUBLIC: Final = "registry"
_HIDDEN_KINDS: Final = frozenset({"phone", "email"})


def contacts(subject: Subject, connection: Connection | None) -> tuple[Contact, ...]:
    """Return the contacts that the viewer may see; those of the bank's own lists for customers in scope only."""
    if connection is None:
        return ()
    seen = _seen(subject)
    refused = opted_out(connection, [key for row in seen for key in _keys(row)])
    return tuple(_contact(subject, row, not refused.isdisjoint(_keys(row))) for row in seen)


def _seen(subject: Subject) -> list[dict[str, Any]]:
    rows = subject.reads.rows(CONTACTS, "company_id", subject.company_id)
    own = subject.customer is None or subject.in_scope
    seen = [row for row in rows if own or row["origin"] == PUBLIC]
    # The order does not depend on refusals: a position means one contact throughout a generation.
    return sorted(
        seen, key=lambda row: (row["person_name"] is None, row["kind"], row["source"], row["record_key"])
    )


def contact_to_refuse(subject: Subject, position: int) -> list[tuple[str, str]]:
    """Return (kind, value) of a contact that the viewer sees, and of the person, for noting a refusal."""
    seen = _seen(subject)
    if not 0 <= position < len(seen):
        raise NotFound("没有这条联系方式", remedy="刷新后重试")
    row = seen[position]
    found = [(row["kind"], row["value"])]
    return [*found, ("person", row["person_name"])] if row["person_name"] else found


def _keys(row: dict[str, Any]) -> list[tuple[str, str]]:
    keys = [contact_key(row["kind"], row["value"], row["company_id"])]
    if row["person_name"]:
        keys.append(contact_key("person", row["person_name"], row["company_id"]))
    return keys


def _contact(subject: Subject, row: dict[str, Any], refused: bool) -> Contact:
    clear = mask_row(subject.viewer, CONTACTS, row)
    refused = refused or bool(row["opted_out"])
    return Contact(
        kind=row["kind"],
        value=None if refused else clear["value"],
        person=None if refused else clear["person_name"],
        post=row["post"],
        source=row["source"],
        lawful_basis=row["lawful_basis"],
        basis=BASIS_LABELS.get(row["lawful_basis"] or "", "未声明"),
        collected_on=row["collected_on"],
        opted_out=refused,
    )


def shown_phone(subject: Subject, connection: Connection | None, phone: str | None) -> str | None:
    """Return the company's telephone as the viewer may read it, unless somebody refused to be called there."""
    raw = subject.row["phone"]
    if connection is None or phone is None or raw is None:
        return None
    return None if opted_out(connection, [contact_key("phone", raw, subject.company_id)]) else phone


def without_contacts(lines: tuple[Line, ...]) -> tuple[Line, ...]:
    """Return what sources disagree on without telephones and addresses: the contacts say which source has which."""
    return tuple(
        line.model_copy(update={"text": f"{line.kind}：各来源不一致，见联系方式"})
        if line.kind in _HIDDEN_KINDS
        else line
        for line in lines
    )
