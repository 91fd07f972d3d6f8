"""Builds the company profile from one generation of the lake and, where given, the operational store.

Reads companies, customers, dealings, opportunities, offers, scores, tiers, introductions, reach, supply pairs, chain
nodes, parks, tags, relations, persons, outcomes and blacklist by company; writes nothing. What the viewer may see is
decided by ``bank``: a customer outside the scope shows only as “XX支行客户（需申请转介）”.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.engine import Connection

from qiaomen.bank import Action, Viewer, mask_row, referral_name, require, scope_of
from qiaomen.customers import CUSTOMERS
from qiaomen.opportunities import OPPORTUNITIES
from qiaomen.registry import COMPANIES, load_gazetteer
from qiaomen.reports import contacts, sections, trades, ways
from qiaomen.reports.hiding import IN_BANK
from qiaomen.reports.model import CompanyChoice, CompanyProfile, CustomerHead, Head, Light, Line
from qiaomen.reports.reads import ProfileReads
from qiaomen.reports.redaction import redacted
from qiaomen.reports.search import search_companies
from qiaomen.reports.words import Words, day, joined, money
from qiaomen.scoring import TIERS
from qiaomen.vocab import TIER_LABELS, NotFound, check_uscc, normalise_code

NOTICE: Final = "仅用于营销排序，不作授信审批依据；失信与风险信息以来源公示为准"
_DEAD: Final = ("注销", "吊销", "撤销", "清算")


@dataclass(frozen=True)
class Subject:
    """One company being looked at: its row, its customer row, and what the viewer may see of it."""

    viewer: Viewer
    reads: ProfileReads
    words: Words
    row: dict[str, Any]
    customer: dict[str, Any] | None
    in_scope: bool
    as_of: dt.date | None

    @property
    def foreign(self) -> bool:
        """Whether it is a customer outside the viewer's scope, of which only the bank's public knowledge is shown."""
        return self.customer is not None and not self.in_scope

    def may_read(self, event: dict[str, Any]) -> bool:
        """Whether an opportunity may be shown: what the bank's own flows say of others' customers may not."""
        return not (self.foreign and event["detector"] == IN_BANK)

    @property
    def company_id(self) -> int:
        """The company number."""
        return int(self.row["company_id"])


def find_company(viewer: Viewer, reads: ProfileReads, key: str) -> tuple[CompanyChoice, ...]:
    """Return the companies that a key means: a credit code, a company number, or a name (exact first).

    One choice is the company; several are for the viewer to choose from. ``NotFound`` where there is none.
    """
    require(viewer, Action.SEE_COMPANIES)
    text = key.strip()
    rows = _by_number_or_code(reads, text)
    if not rows and text:
        found = search_companies(reads.arrays("search_index"), text, limit=20)
        exact = [hit for hit in found if hit.exact]
        rows = [
            row for hit in (exact or found) for row in reads.rows(COMPANIES, "company_id", hit.company_id)
        ]
    if not rows:
        raise NotFound(
            f"没有找到“{text}”", remedy="检查统一社会信用代码、企业编号或名称，可只输入简称或拼音首字母"
        )
    return tuple(_choice(viewer, reads, row) for row in rows)


def _by_number_or_code(reads: ProfileReads, text: str) -> list[dict[str, Any]]:
    code = normalise_code(text)
    if check_uscc(code) is None:
        return reads.rows(COMPANIES, "uscc", code)
    return reads.rows(COMPANIES, "company_id", int(text)) if text.isdecimal() and len(text) <= 10 else []


def _choice(viewer: Viewer, reads: ProfileReads, row: dict[str, Any]) -> CompanyChoice:
    number = int(row["company_id"])
    customers = reads.rows(CUSTOMERS, "company_id", number)
    scope = scope_of(viewer)
    return CompanyChoice(
        company_id=number,
        name=row["name"] or f"企业 {number}",
        uscc=row["uscc"],
        region=region_words(row["region_code"]),
        is_customer=any(scope.covers(row["institution_code"], row["manager_no"]) for row in customers),
    )


def region_words(code: str | None) -> str:
    """Return the division and what lies above it in words."""
    gazetteer = load_gazetteer()
    return "".join(gazetteer.path(code)) if code in gazetteer.names else code or ""


def company_profile(
    viewer: Viewer, reads: ProfileReads, key: str | int, words: Words, connection: Connection | None = None
) -> CompanyProfile:
    """Return the profile of the one company that the key means.

    With ``connection`` the tasks of the operational store join the past marketing, and contacts are shown. ``NotFound`` where the key means no
    company, or several: ask ``find_company`` first.
    """
    choices = find_company(viewer, reads, str(key))
    if len(choices) > 1:
        names = "、".join(f"{choice.name}（{choice.company_id}）" for choice in choices[:5])
        raise NotFound(f"“{key}”对应 {len(choices)} 家企业：{names}", remedy="改用企业编号或统一社会信用代码")
    subject = subject_of(viewer, reads, choices[0].company_id, words)
    return redacted(subject, profile_of(subject, connection))


def subject_of(viewer: Viewer, reads: ProfileReads, company_id: int, words: Words) -> Subject:
    """Return what the profile's parts are made from; ``NotFound`` where there is no such company."""
    require(viewer, Action.SEE_COMPANIES)
    rows = reads.rows(COMPANIES, "company_id", company_id)
    if not rows:
        raise NotFound(f"没有编号为 {company_id} 的企业", remedy="检查编号")
    customers = reads.rows(CUSTOMERS, "company_id", company_id)
    customer = customers[0] if customers else None
    in_scope = customer is not None and scope_of(viewer).covers(
        customer["institution_code"], customer["manager_no"]
    )
    return Subject(viewer, reads, words, rows[0], customer, in_scope, _as_of(reads))


def _as_of(reads: ProfileReads) -> dt.date | None:
    noted = reads.note.get("as_of")
    if isinstance(noted, dt.date):
        return noted
    return dt.date.fromisoformat(noted) if isinstance(noted, str) and noted else None


def profile_of(subject: Subject, connection: Connection | None = None) -> CompanyProfile:
    """Build the profile."""
    number = subject.company_id
    events = [row for row in subject.reads.rows(OPPORTUNITIES, "company_id", number) if subject.may_read(row)]
    risks = sections.risks(subject, events)
    related = sections.related(subject)
    marketing = sections.marketing(subject, connection)
    products = ways.products(subject)
    ways_in = ways.ways_in(subject)
    dealings = sections.dealings(subject)
    light, grounds = _light(subject, risks)
    head = _head(subject, light, grounds)
    return CompanyProfile(
        generation=subject.reads.number,
        as_of=subject.as_of,
        head=head.model_copy(update={"phone": contacts.shown_phone(subject, connection, head.phone)}),
        verdict=_verdict(subject, light, grounds, events, products, ways_in),
        timeline=sections.timeline(subject, events),
        products=products,
        ways_in=ways_in,
        contacts=contacts.contacts(subject, connection),
        dealings=dealings,
        traces_elsewhere=sections.traces_elsewhere(subject, events),
        suppliers=trades.partners(subject, "supplier"),
        buyers=trades.partners(subject, "buyer"),
        coverage=trades.coverage(subject),
        chains=sections.chains(subject),
        goods=sections.goods(subject),
        parks=sections.parks(subject),
        tags=sections.tags(subject),
        holders=related["holders"],
        holdings=related["holdings"],
        officers=related["officers"],
        group=related["group"],
        suspected=related["suspected"],
        risks=risks,
        marketing=marketing,
        conflicts=contacts.without_contacts(sections.conflicts(subject)),
        names=sections.names(subject),
        data_dates=sections.data_dates(subject),
        notice=NOTICE,
    )


def _head(subject: Subject, light: Light, grounds: tuple[Line, ...]) -> Head:
    row = mask_row(subject.viewer, COMPANIES, subject.row)
    tiers = subject.reads.rows(TIERS, "company_id", subject.company_id)
    tier = tiers[0] if tiers and not subject.foreign else {}
    listed = joined(row["listed_board"], row["stock_code"], by=" ")
    return Head(
        company_id=subject.company_id,
        name=row["name"] or f"企业 {subject.company_id}",
        **{name: row[name] for name in _COPIED},
        region=region_words(row["region_code"]),
        industry=joined(row["industry_code"], row["industry_name"], by=" ") or None,
        listed=listed or None,
        customer=_customer(subject),
        tier=tier.get("tier"),
        priority=tier.get("priority"),
        light=light,
        grounds=grounds,
    )


_COPIED: Final = (
    "short_name",
    "uscc",
    "origin",
    "status",
    "org_type",
    "founded_on",
    "capital_cny",
    "legal_representative",
    "region_code",
    "region_basis",
    "address",
    "phone",
    "website",
    "employees",
    "revenue_cny",
)


def _customer(subject: Subject) -> CustomerHead | None:
    row, words = subject.customer, subject.words
    if row is None:
        return None
    institution = words.institution(row["institution_code"])
    if not subject.in_scope:
        return CustomerHead(shown_as=referral_name(institution or None), in_scope=False)
    return CustomerHead(
        shown_as=f"{institution}客户",
        in_scope=True,
        customer_no=row["customer_no"],
        institution=institution,
        manager=words.person_of_staff(row["manager_no"]) or None,
        opened_on=row["opened_on"],
        status=row["status"],
        last_contact_on=row["last_contact_on"],
    )


def _light(subject: Subject, risks: tuple[Line, ...]) -> tuple[Light, tuple[Line, ...]]:
    """Return the veto light: red forbids, amber warns; each with its grounds."""
    status = subject.row["status"] or ""
    red = tuple(line for line in risks if line.kind in {"veto", "blacklist"})
    if any(word in status for word in _DEAD):
        red = (Line(text=f"登记状态：{status}", evidence=sections.own_evidence(subject), kind="veto"), *red)
    if red:
        return "red", red
    amber = tuple(line for line in risks if line.kind == "warning")
    return ("amber", amber) if amber else ("green", ())


def _verdict(
    subject: Subject,
    light: Light,
    grounds: tuple[Line, ...],
    events: list[dict[str, Any]],
    products: tuple[Any, ...],
    ways_in: tuple[Any, ...],
) -> str:
    """Say in one line whom we have before us, why now, with what, and through whom."""
    if light == "red":
        return f"暂不营销：{grounds[0].text}"
    tiers = [] if subject.foreign else subject.reads.rows(TIERS, "company_id", subject.company_id)
    who = joined(
        "存量客户" if subject.customer else "潜客",
        f"分层{TIER_LABELS[tiers[0]['tier']]}" if tiers and tiers[0]["tier"] in TIER_LABELS else "",
        by="、",
    )
    active = [row for row in events if row["status"] == "active" and row["polarity"] in sections.SELLING]
    best = max(active, key=lambda row: (row["value"] or 0, row["published_on"] or dt.date.min), default=None)
    why = ""
    if best is not None:
        title, on = sections.event_title(subject, best), day(best["occurred_on"] or best["published_on"])
        amount = money(best["amount_cny"])
        why = joined(
            "" if on in title else on,
            title,
            f"（{amount}）" if amount and amount not in title else "",
            by=" ",
        )
    what = f"首推{products[0].name}" if products else ""
    through = ways_in[0].wording if ways_in else ""
    caution = f"注意：{grounds[0].text}" if light == "amber" else ""
    return joined(who, why, what, through, caution, by="；") or "暂无可说的线索"
