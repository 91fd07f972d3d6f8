"""The company profile: one record for the command line, the interface and the page, in the order that staff read it."""

from __future__ import annotations

import datetime as dt
from typing import Literal

from pydantic import BaseModel, ConfigDict

Light = Literal["green", "amber", "red"]


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Line(_Record):
    """One statement with its evidence.

    ``company_id`` is the other company that the line speaks of, if any. ``proven`` is false for a suspicion.
    """

    text: str
    evidence: str = ""
    on: dt.date | None = None
    amount_cny: float | None = None
    kind: str = ""
    company_id: int | None = None
    proven: bool = True


class CustomerHead(_Record):
    """What the bank knows of a company that is its customer; outside the viewer's scope only ``shown_as``."""

    shown_as: str
    in_scope: bool
    customer_no: str | None = None
    institution: str | None = None
    manager: str | None = None
    opened_on: dt.date | None = None
    status: str | None = None
    last_contact_on: dt.date | None = None


class Contact(_Record):
    """One way to reach the company or a person there; of one who refused only that there is one.

    ``lawful_basis`` is the ground of 个人信息保护法第十三条, ``basis`` the same in words.
    """

    kind: str
    value: str | None
    person: str | None
    post: str | None
    source: str
    lawful_basis: str | None
    basis: str
    collected_on: dt.date | None
    opted_out: bool


class Head(_Record):
    """Who it is, whether it is ours, and the veto light with its grounds."""

    company_id: int
    name: str
    short_name: str | None
    uscc: str | None
    origin: str
    status: str | None
    org_type: str | None
    founded_on: dt.date | None
    capital_cny: float | None
    legal_representative: str | None
    region_code: str | None
    region: str
    region_basis: str | None
    address: str | None
    industry: str | None
    phone: str | None
    website: str | None
    employees: int | None
    revenue_cny: float | None
    listed: str | None
    customer: CustomerHead | None
    tier: str | None
    priority: float | None
    light: Light
    grounds: tuple[Line, ...]


class ProductFit(_Record):
    """A product it could take: how well it fits, in what range, and what is missing."""

    code: str
    name: str
    rank: int
    response_index: float | None
    basis: str
    reason: str
    limit: str
    tenor: str
    missing: tuple[str, ...]
    points: tuple[Line, ...]


class Way(_Record):
    """One way in (敲门线索) as the viewer may see it."""

    rank: int
    kind: str
    wording: str
    warmth: float
    hops: int
    proven: bool
    steps: tuple[Line, ...]


class Trade(_Record):
    """A supplier or buyer over the window."""

    company_id: int
    name: str
    amount_cny: float | None
    count: int | None
    share: float | None
    rank: int | None
    first_on: dt.date | None
    last_on: dt.date | None
    core: bool | None
    evidence: str


class Coverage(_Record):
    """How much of a company's sales or purchases is known."""

    side: str
    known_cny: float | None
    coverage: float | None
    counterparties: int | None
    judged: bool | None


class DataDate(_Record):
    """A source and the newest date of its statements."""

    source: str
    observed_on: dt.date | None
    records: int


class CompanyProfile(_Record):
    """Everything about one company that the viewer may see, at one generation and date."""

    generation: int
    as_of: dt.date | None
    head: Head
    verdict: str
    timeline: tuple[Line, ...]
    products: tuple[ProductFit, ...]
    ways_in: tuple[Way, ...]
    contacts: tuple[Contact, ...]
    dealings: tuple[Line, ...]
    traces_elsewhere: tuple[Line, ...]
    suppliers: tuple[Trade, ...]
    buyers: tuple[Trade, ...]
    coverage: tuple[Coverage, ...]
    chains: tuple[Line, ...]
    goods: tuple[Line, ...]
    parks: tuple[Line, ...]
    tags: tuple[Line, ...]
    holders: tuple[Line, ...]
    holdings: tuple[Line, ...]
    officers: tuple[Line, ...]
    group: tuple[Line, ...]
    suspected: tuple[Line, ...]
    risks: tuple[Line, ...]
    marketing: tuple[Line, ...]
    conflicts: tuple[Line, ...]
    names: tuple[Line, ...]
    data_dates: tuple[DataDate, ...]
    notice: str


class CompanyChoice(_Record):
    """One of several companies that a key may mean."""

    company_id: int
    name: str
    uscc: str | None
    region: str
    is_customer: bool


class Brief(_Record):
    """敲门一页纸: what a manager takes along."""

    company_id: int
    title: str
    subtitle: str
    light: Light
    why_now: tuple[Line, ...]
    who_opens: tuple[Way, ...]
    what_to_offer: tuple[ProductFit, ...]
    how_to_open: tuple[str, ...]
    know_before: tuple[Line, ...]
    must_not: tuple[str, ...]
    as_of: dt.date | None
    notice: str
