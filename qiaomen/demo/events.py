"""Structured events of the made-up city: the opportunity feed, registered changes, official lists, blacklist."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

import numpy as np

from qiaomen.demo import words
from qiaomen.demo.companies import Companies, Node
from qiaomen.demo.people import Persons

# code of the kind, share of the feed, typical amount in yuan (0 has none), days until expiry (0 has none)
FEED: Final[tuple[tuple[str, float, float, int], ...]] = (
    ("gov_bid_won", 0.10, 3.2e6, 0),
    ("proposed_project", 0.05, 8.0e7, 0),
    ("project_approved", 0.04, 6.0e7, 0),
    ("eia_acceptance", 0.03, 4.0e7, 0),
    ("construction_permit", 0.03, 5.0e7, 0),
    ("tech_renovation_project", 0.03, 1.5e7, 0),
    ("finance_lease_new", 0.12, 9.0e6, 200),
    ("chattel_mortgaged", 0.06, 1.2e7, 200),
    ("share_pledged", 0.03, 2.0e7, 200),
    ("receivable_pledged", 0.04, 5.0e6, 200),
    ("high_tech_certified", 0.06, 0, 1000),
    ("specialized_new_certified", 0.04, 0, 0),
    ("tech_sme_listed", 0.06, 0, 0),
    ("little_giant_certified", 0.01, 0, 0),
    ("green_factory_certified", 0.02, 0, 0),
    ("qualification_upgraded", 0.03, 0, 0),
    ("tax_rating_a", 0.04, 0, 0),
    ("hiring_surge", 0.03, 0, 0),
    ("patent_pledged", 0.02, 4.0e6, 200),
    ("ipo_tutoring", 0.005, 0, 0),
    ("special_fund_selected", 0.03, 1.5e6, 0),
    ("customs_rating_up", 0.02, 0, 0),
    ("import_export_filed", 0.03, 0, 0),
    ("equity_financing", 0.04, 3.0e7, 0),
    ("admin_penalty", 0.025, 1.0e5, 0),
    ("bankruptcy_filed", 0.005, 0, 0),
)

LISTS: Final[tuple[tuple[str, str, float, str], ...]] = (
    ("高新技术企业", "国家级", 0.16, "科技主管部门"),
    ("科技型中小企业", "", 0.15, "科技主管部门"),
    ("专精特新中小企业", "市级", 0.07, "经信主管部门"),
    ("专精特新小巨人", "国家级", 0.012, "工信主管部门"),
    ("制造业单项冠军", "国家级", 0.002, "工信主管部门"),
    ("瞪羚企业", "市级", 0.006, "科技园区"),
    ("独角兽企业", "", 0.001, "研究机构"),
    ("纳税信用A级", "A", 0.22, "税务机关"),
    ("绿色工厂", "市级", 0.01, "经信主管部门"),
    ("企业技术中心", "市级", 0.02, "经信主管部门"),
)


@dataclass(slots=True)
class Feed:
    """One entry per delivered event; ``company`` is an index."""

    company: list[int] = field(default_factory=list)
    kind: list[str] = field(default_factory=list)
    title: list[str] = field(default_factory=list)
    occurred_on: list[date] = field(default_factory=list)
    published_on: list[date] = field(default_factory=list)
    expires_on: list[date | None] = field(default_factory=list)
    amount_cny: list[float | None] = field(default_factory=list)
    counterparty: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Changes:
    """One entry per registered change."""

    company: list[int] = field(default_factory=list)
    item: list[str] = field(default_factory=list)
    old_value: list[str] = field(default_factory=list)
    new_value: list[str] = field(default_factory=list)
    changed_on: list[date] = field(default_factory=list)


@dataclass(slots=True)
class Listed:
    """One entry per company on an official list."""

    company: list[int] = field(default_factory=list)
    list_code: list[str] = field(default_factory=list)
    level: list[str] = field(default_factory=list)
    authority: list[str] = field(default_factory=list)
    since: list[date] = field(default_factory=list)
    until: list[date | None] = field(default_factory=list)


def make_lists(rng: np.random.Generator, companies: Companies, as_of: date) -> Listed:
    """Draw list memberships; firms on a chain are certified five times as often as others."""
    listed = Listed()
    technical = np.where(np.array(companies.node) >= 0, 1.6, 0.3)
    for code, level, share, authority in LISTS:
        odds = share * (technical if code != "纳税信用A级" else np.ones(len(companies)))
        for index in np.flatnonzero(rng.random(len(companies)) < odds):
            since = as_of - timedelta(days=int(rng.integers(5, 1095)))
            if since <= companies.founded_on[index]:
                continue
            listed.company.append(int(index))
            listed.list_code.append(code)
            listed.level.append(level)
            listed.authority.append(authority)
            listed.since.append(since)
            listed.until.append(
                since + timedelta(days=1095) if code in {"高新技术企业", "专精特新中小企业"} else None
            )
    return listed


def make_feed(
    rng: np.random.Generator, companies: Companies, names: dict[str, str], count: int, as_of: date
) -> Feed:
    """Draw ``count`` events over twelve months; one in fifty repeats an earlier one the way a second supplier would."""
    feed = Feed()
    activity = rng.gamma(0.7, 1.0, len(companies)) + 0.05
    activity *= np.array([status == "存续" for status in companies.status])
    activity /= activity.sum()
    who = rng.choice(len(companies), count, p=activity)
    shares = np.array([row[1] for row in FEED])
    kinds = rng.choice(len(FEED), count, p=shares / shares.sum())
    for position in range(count):
        if position and rng.random() < 0.02:
            _repeat(feed, rng)
            continue
        code, _, amount, life = FEED[int(kinds[position])]
        index = int(who[position])
        on = as_of - timedelta(days=int(rng.integers(0, 365)))
        value = round(float(amount * rng.lognormal(-0.3, 0.8)), -3) if amount and rng.random() < 0.9 else None
        other = int(rng.integers(len(companies)))
        feed.company.append(index)
        feed.kind.append(code)
        feed.title.append(_title(companies.name[index], names[code], value))
        feed.occurred_on.append(on)
        feed.published_on.append(min(as_of, on + timedelta(days=int(rng.integers(0, 5)))))
        feed.expires_on.append(on + timedelta(days=life + int(rng.integers(0, 240))) if life else None)
        feed.amount_cny.append(value)
        feed.counterparty.append(companies.name[other] if value and other != index else "")
    return feed


def _title(name: str, kind: str, value: float | None) -> str:
    money = f"，金额{value / 1e4:,.1f}万元" if value else ""
    return f"{name}：{kind}{money}"


def _repeat(feed: Feed, rng: np.random.Generator) -> None:
    """Deliver an earlier event again, a day or two later and with a shorter title."""
    past = int(rng.integers(len(feed.company)))
    feed.company.append(feed.company[past])
    feed.kind.append(feed.kind[past])
    feed.title.append(feed.title[past].split("，")[0])
    feed.occurred_on.append(feed.occurred_on[past])
    feed.published_on.append(feed.published_on[past])
    feed.expires_on.append(feed.expires_on[past])
    feed.amount_cny.append(feed.amount_cny[past])
    feed.counterparty.append(feed.counterparty[past])


def make_changes(
    rng: np.random.Generator,
    companies: Companies,
    persons: Persons,
    nodes: list[Node],
    count: int,
    as_of: date,
) -> Changes:
    """Draw registered changes: capital, representative, address, scope."""
    changes = Changes()
    for _ in range(count):
        index = int(rng.integers(len(companies)))
        draw = rng.random()
        if draw < 0.42:
            now = companies.capital_cny[index]
            factor = float(rng.uniform(0.2, 0.8)) if rng.random() < 0.85 else float(rng.uniform(1.2, 2.5))
            before = max(10_000.0, round(now * factor, -4))
            row = ("capital_cny", f"{before:.0f}", f"{now:.0f}")
        elif draw < 0.62:
            old = persons.name[int(rng.integers(len(persons)))]
            row = ("legal_representative", old, persons.name[companies.legal_representative[index]])
        elif draw < 0.8:
            district = words.DISTRICTS[int(rng.integers(len(words.DISTRICTS)))][1]
            row = (
                "address",
                f"上海市{district}旧址路{int(rng.integers(1, 900))}号",
                companies.address[index],
            )
        else:
            node = nodes[int(rng.integers(len(nodes)))]
            row = ("scope", companies.scope[index], f"{companies.scope[index]}；{node.goods[0]}的研发与销售")
        changes.company.append(index)
        changes.item.append(row[0])
        changes.old_value.append(row[1])
        changes.new_value.append(row[2])
        changes.changed_on.append(as_of - timedelta(days=int(rng.integers(0, 365))))
    return changes
