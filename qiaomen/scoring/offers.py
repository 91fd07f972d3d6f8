"""Products for a company and companies for a product: from scores, the newest opportunities and the tag profile.

Reads SCORES, OPPORTUNITIES, OPPORTUNITY_SIGNALS, COMPANY_TAGS; writes OFFERS. An offer orders marketing only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.scoring.catalogue import Product, Strategy
from qiaomen.scoring.tables import OFFERS
from qiaomen.tags import Tag

Numbers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

OFFERS_EACH: Final = 6
FRESH_DAYS: Final = 180
OPPORTUNITY_WEIGHT: Final = 0.6
TAG_WEIGHT: Final = 0.1
REASONS_QUOTED: Final = 3
POSITIVE: Final = ("marketing", "both", "retention")


@dataclass(frozen=True)
class Grounds:
    """What offers are drawn from: tables as declared; ``company_tags`` and ``customers`` (company numbers) may be empty."""

    scores: pa.Table
    opportunities: pa.Table
    signals: pa.Table
    company_tags: pa.Table
    customers: Numbers = field(default_factory=lambda: np.empty(0, dtype=np.int64))


class _Keys:
    """One number for a company and a product."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self.codes = list(products)
        self.places = pa.array(self.codes, pa.string())

    def make(self, companies: pa.ChunkedArray, products: pa.ChunkedArray) -> Numbers:
        """Return company × products + product; −1 for a product that is not declared or not offered."""
        places = pc.fill_null(pc.index_in(products, self.places), -1).to_numpy().astype(np.int64)
        keys: Numbers = companies.to_numpy() * len(self.codes) + places
        return np.where(places < 0, -1, keys)

    def split(self, keys: Numbers) -> tuple[Numbers, Numbers]:
        return keys // len(self.codes), keys % len(self.codes)


def _newest_opportunities(grounds: Grounds, as_of: date) -> pa.Table:
    """Return (company_id, product, row of the opportunity, age), newest first."""
    events = grounds.opportunities.append_column(
        "row", pa.array(np.arange(grounds.opportunities.num_rows, dtype=np.int64))
    )
    on = pc.coalesce(events.column("published_on"), events.column("occurred_on"))
    live = pc.and_(
        pc.and_(
            pc.greater_equal(on, pa.scalar(as_of - timedelta(days=FRESH_DAYS))),
            pc.less_equal(on, pa.scalar(as_of)),
        ),
        pc.is_in(events.column("polarity"), pa.array(POSITIVE)),
    )
    live = pc.and_(live, pc.equal(pc.fill_null(events.column("status"), "active"), "active"))
    events = events.append_column("known_on", on).filter(pc.fill_null(live, False))
    events = events.select(["opportunity_id", "row", "known_on"])
    named = grounds.signals.filter(pc.is_valid(grounds.signals.column("products")))
    lists = pc.split_pattern(named.column("products"), ";").combine_chunks()
    parents = pc.list_parent_indices(lists)
    exploded = named.select(["opportunity_id", "company_id"]).take(parents)
    exploded = exploded.append_column("product", pc.utf8_trim_whitespace(pc.list_flatten(lists)))
    joined = exploded.join(events, "opportunity_id", join_type="inner")
    return joined.sort_by(
        [("known_on", "descending"), ("opportunity_id", "ascending"), ("product", "ascending")]
    )


def _tagged_products(grounds: Grounds, products: Mapping[str, Product]) -> pa.Table:
    """Return (company_id, product, tag) for tags that make a product fit, in the products' order of tags."""
    pairs = [
        (tag, product.code, place) for product in products.values() for place, tag in enumerate(product.tags)
    ]
    schema = pa.schema([("tag", pa.string()), ("product", pa.string()), ("place", pa.int64())])
    declared = pa.Table.from_pylist(
        [dict(zip(("tag", "product", "place"), pair, strict=True)) for pair in pairs], schema=schema
    )
    joined = grounds.company_tags.select(["company_id", "tag"]).join(declared, "tag", join_type="inner")
    return joined.sort_by([("company_id", "ascending"), ("product", "ascending"), ("place", "ascending")])


def _first_of(keys: Numbers) -> tuple[Numbers, Numbers]:
    """Return the distinct valid keys and the first row of each."""
    distinct, rows = np.unique(keys, return_index=True)
    return distinct[distinct >= 0], rows[distinct >= 0]


def _admitted(
    keys: Numbers, tagged: Numbers, products: Mapping[str, Product], customers: Numbers
) -> npt.NDArray[np.bool_]:
    """Tell which company and product pairs keep the product's own limits: a needed tag, customers only."""
    rows = list(products.values())
    companies, places = keys // len(rows), keys % len(rows)
    needs_tag = np.array([product.needs_tag for product in rows])[places]
    customers_only = np.array([product.customers_only for product in rows])[places]
    admitted: npt.NDArray[np.bool_] = (~needs_tag | np.isin(keys, tagged)) & (
        ~customers_only | np.isin(companies, customers)
    )
    return admitted


def _lookup(keys: Numbers, known: Numbers, values: npt.NDArray[Any], absent: Any) -> npt.NDArray[Any]:
    if len(known) == 0:
        return np.full(len(keys), absent)
    places = np.clip(np.searchsorted(known, keys), 0, len(known) - 1)
    return np.where(known[places] == keys, values[places], absent)


def _best_scores(
    scores: pa.Table, strategies: Mapping[str, Strategy], keys: _Keys
) -> tuple[Numbers, Numbers]:
    """Return the keys with a marketing score and, for each, the row with the highest index."""
    named = {
        code: row.product for code, row in strategies.items() if row.product and row.purpose == "marketing"
    }
    codes = scores.column("strategy").combine_chunks().dictionary_encode()
    table = pa.array([named.get(str(code)) for code in codes.dictionary.to_pylist()], pa.string())
    products = pa.chunked_array([table.take(codes.indices)])
    order = np.argsort(-scores.column("response_index").to_numpy(), kind="stable")
    found, rows = _first_of(keys.make(scores.column("company_id"), products)[order])
    return found, order[rows]


def _quoted(reasons: str) -> str:
    listed = [
        reason
        for reason in json.loads(reasons)
        if reason["points"] > 0 and reason["indicator"] not in {"rest", "base"}
    ]
    listed.sort(key=lambda reason: -reason["points"])
    return "、".join(reason["label"] for reason in listed[:REASONS_QUOTED]) or "无突出加分项"


def _event_words(event: Mapping[str, Any], product: str) -> str:
    on = event["occurred_on"] or event["published_on"]
    amount = f"，{event['amount_cny'] / 10_000:,.0f}万元" if event["amount_cny"] else ""
    return f"{on} {event['title'] or event['kind']}{amount}→{product}"


def offer(
    grounds: Grounds,
    products: Mapping[str, Product],
    strategies: Mapping[str, Strategy],
    tags: Mapping[str, Tag],
    as_of: date,
    *,
    licences: frozenset[str] | None = None,
    each: int = OFFERS_EACH,
) -> pa.Table:
    """Return OFFERS: at most ``each`` products per company, best first.

    A fresh opportunity weighs most, then the response index, then a fitting tag. ``licences`` are the business
    licences the bank holds: a product that asks for another is not offered; None means that it holds them all.
    """
    offered = {
        code: product
        for code, product in products.items()
        if licences is None or not product.bank_licence or product.bank_licence in licences
    }
    keys = _Keys(offered)
    scored, score_rows = _best_scores(grounds.scores, strategies, keys)
    events = _newest_opportunities(grounds, as_of)
    prompted, event_rows = _first_of(keys.make(events.column("company_id"), events.column("product")))
    profiles = _tagged_products(grounds, offered)
    fitting, tag_rows = _first_of(keys.make(profiles.column("company_id"), profiles.column("product")))
    every = np.unique(np.concatenate([scored, prompted, fitting])).astype(np.int64)
    every = every[_admitted(every, fitting, offered, grounds.customers)]
    score_at = _lookup(every, scored, score_rows, -1).astype(np.int64)
    event_at = _lookup(every, prompted, event_rows, -1).astype(np.int64)
    tag_at = _lookup(every, fitting, tag_rows, -1).astype(np.int64)
    index = grounds.scores.column("response_index").to_numpy()
    strength = np.where(score_at >= 0, index[score_at] / 100.0 if len(index) else 0.0, 0.0)
    strength = strength + OPPORTUNITY_WEIGHT * (event_at >= 0) + TAG_WEIGHT * (tag_at >= 0)
    companies, places = keys.split(every)
    order = np.lexsort((places, -strength, companies))
    rank = _ranks(companies[order])
    kept = order[rank <= each]
    chosen = _Chosen(every[kept], score_at[kept], event_at[kept], tag_at[kept], rank[rank <= each])
    rows = _worded(chosen, grounds, events, profiles, keys, offered, strategies, tags)
    return OFFERS.conform(rows).sort_by([("company_id", "ascending"), ("product", "ascending")])


@dataclass(frozen=True, slots=True)
class _Chosen:
    keys: Numbers
    score_at: Numbers
    event_at: Numbers
    tag_at: Numbers
    rank: Numbers


def _ranks(companies: Numbers) -> Numbers:
    """Return 1, 2, … within each run of equal companies."""
    starts = (
        np.flatnonzero(np.r_[True, companies[1:] != companies[:-1]]) if len(companies) else np.empty(0, int)
    )
    lengths = np.diff(np.r_[starts, len(companies)])
    ranks: Numbers = np.arange(len(companies)) - np.repeat(starts, lengths) + 1
    return ranks


def _worded(
    chosen: _Chosen,
    grounds: Grounds,
    events: pa.Table,
    profiles: pa.Table,
    keys: _Keys,
    products: Mapping[str, Product],
    strategies: Mapping[str, Strategy],
    tags: Mapping[str, Tag],
) -> pa.Table:
    companies, places = keys.split(chosen.keys)
    by_event, by_score = chosen.event_at >= 0, chosen.score_at >= 0
    names = [products[keys.codes[place]].name_zh for place in places]
    event_places = events.column("row").take(pa.array(chosen.event_at[by_event]))
    told = iter(grounds.opportunities.take(event_places).to_pylist())
    only_score = by_score & ~by_event
    why = iter(grounds.scores.take(pa.array(chosen.score_at[only_score])).to_pylist())
    carried = iter(profiles.column("tag").take(pa.array(chosen.tag_at[~by_event & ~by_score])).to_pylist())
    reasons, sources, opportunities = [], [], []
    for place, name in enumerate(names):
        event = next(told) if by_event[place] else None
        if event is not None:
            reasons.append(_event_words(event, name))
            sources.append("opportunity")
        elif by_score[place]:
            row = next(why)
            strategy = strategies[row["strategy"]].name_zh
            reasons.append(f"{strategy}指数{row['response_index']:.0f}：{_quoted(row['reasons'])}")
            sources.append("score")
        else:
            reasons.append(f"具有“{tags[next(carried)].name_zh}”标签，适合{name}")
            sources.append("tag")
        opportunities.append(event["opportunity_id"] if event is not None else None)
    return pa.table(
        {
            "company_id": pa.array(companies),
            "product": pa.array([keys.codes[place] for place in places], pa.string()),
            "rank": pa.array(chosen.rank),
            "response_index": _indexes(chosen, grounds),
            "basis": pa.array(sources, pa.string()),
            "opportunity_id": pa.array(opportunities, pa.string()),
            "reason": pa.array(reasons, pa.string()),
        }
    )


def _indexes(chosen: _Chosen, grounds: Grounds) -> pa.Array:
    """Return the response index of each choice; null where no score stands behind it."""
    by_score = chosen.score_at >= 0
    if not by_score.any():
        return pa.nulls(len(by_score), pa.float64())
    index = grounds.scores.column("response_index").take(pa.array(np.maximum(chosen.score_at, 0)))
    return pc.if_else(pa.array(by_score), index, None)


def best_companies(
    product: str, scores: pa.Table, offers: pa.Table, strategies: Mapping[str, Strategy], limit: int = 100
) -> pa.Table:
    """Return the companies to approach first for a product: company_id, response_index, probability, basis, reason.

    Scored companies by index, then those whom an opportunity or a tag suggests.
    """
    codes = [
        code for code, row in strategies.items() if row.product == product and row.purpose == "marketing"
    ]
    rows = scores.filter(pc.is_in(scores.column("strategy"), pa.array(codes, pa.string())))
    order = [("response_index", "descending"), ("company_id", "ascending")]
    rows = rows.sort_by(order).slice(0, limit)
    suggested = offers.filter(pc.equal(offers.column("product"), product))
    known = {row["company_id"]: row for row in suggested.to_pylist()}
    listed = [
        {
            "company_id": row["company_id"],
            "response_index": row["response_index"],
            "probability": row["probability"],
            "basis": known.get(row["company_id"], {"basis": "score"})["basis"],
            "reason": known[row["company_id"]]["reason"]
            if row["company_id"] in known
            else _quoted(row["reasons"]),
        }
        for row in rows.to_pylist()
    ]
    scored = {row["company_id"] for row in listed}
    others = [
        row for row in known.values() if row["company_id"] not in scored and row["response_index"] is None
    ]
    others.sort(key=lambda row: (row["basis"] != "opportunity", row["rank"], row["company_id"]))
    shown = ("company_id", "response_index", "basis", "reason")
    listed += [
        {**{name: row[name] for name in shown}, "probability": None}
        for row in others[: max(0, limit - len(listed))]
    ]
    return pa.Table.from_pylist(listed, schema=BEST_COMPANIES)


BEST_COMPANIES: Final = pa.schema(
    [
        ("company_id", pa.int64()),
        ("response_index", pa.float64()),
        ("probability", pa.float64()),
        ("basis", pa.string()),
        ("reason", pa.string()),
    ]
)
