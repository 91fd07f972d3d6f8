"""联系方式 on the company page: each with its source, lawful basis and date; a refusal shows without the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from qiaomen.bank import Action, may
from qiaomen.reports import Contact
from qiaomen.web import formats
from qiaomen.web.visit import Visit

KIND_LABELS: Final = {"phone": "电话", "email": "邮箱", "person": "联系人"}


@dataclass(frozen=True, slots=True)
class ContactRow:
    """One contact as the page shows it; ``position`` names it in a form."""

    position: int
    kind: str
    value: str
    who: str
    source: str
    refused: bool


@dataclass(frozen=True, slots=True)
class RefusalRow:
    """One refusal in force."""

    opt_out_id: int
    text: str


@dataclass(frozen=True, slots=True)
class ContactPanel:
    """The whole part of the page."""

    rows: tuple[ContactRow, ...]
    refusals: tuple[RefusalRow, ...]
    may_withdraw: bool
    generation: int


def contact_panel(
    visit: Visit, contacts: Sequence[Contact], refusals: Sequence[Mapping[str, Any]]
) -> ContactPanel:
    """Lay out contacts and refusals."""
    rows = []
    for position, item in enumerate(contacts):
        who = " ".join(part for part in (item.person, item.post) if part)
        dated = f"{formats.day(item.collected_on)} 取得" if item.collected_on else "取得日期不详"
        rows.append(
            ContactRow(
                position,
                KIND_LABELS.get(item.kind, item.kind),
                item.value or "",
                who,
                f"{item.source} · {dated} · {item.basis}",
                item.opted_out,
            )
        )
    noted = tuple(
        RefusalRow(
            int(row["opt_out_id"]),
            f"{KIND_LABELS.get(row['kind'], row['kind'])} {row['shown']}，{formats.day(row['recorded_at'])} 登记"
            + (f"：{row['reason']}" if row["reason"] else ""),
        )
        for row in refusals
    )
    return ContactPanel(tuple(rows), noted, may(visit.viewer, Action.UPLOAD_CUSTOMERS), visit.reading.number)
