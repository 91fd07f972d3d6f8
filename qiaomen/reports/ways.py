"""What a company could take (range, what is missing) and through whom to knock (敲门线索)."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from qiaomen.customers import CUSTOMERS
from qiaomen.reach import INTRODUCTIONS, REACH, conceal_introductions, concealment, load_wording
from qiaomen.reports.model import Line, ProductFit, Way
from qiaomen.reports.words import joined, percent
from qiaomen.scoring import OFFERS, SCORES
from qiaomen.tags import COMPANY_TAGS
from qiaomen.vocab import RELATION_LABELS

if TYPE_CHECKING:
    from qiaomen.reports.profile import Subject

BASES: Final = {"score": "模型评分", "opportunity": "近期商机", "tag": "企业标签"}
_NEEDED: Final = {
    "revenue_cny": "营业收入",
    "employees": "参保人数",
    "capital_cny": "注册资本",
    "founded_on": "成立日期",
    "industry_code": "行业代码",
}


def products(subject: Subject) -> tuple[ProductFit, ...]:
    """Return the products offered to it, best first, each with the points behind it.

    Nothing for a customer outside the viewer's scope: offers and points rest on its dealings here.
    """
    if subject.foreign:
        return ()
    offers = sorted(subject.reads.rows(OFFERS, "company_id", subject.company_id), key=lambda row: row["rank"])
    scores = {row["strategy"]: row for row in subject.reads.rows(SCORES, "company_id", subject.company_id)}
    carried = {row["tag"] for row in subject.reads.rows(COMPANY_TAGS, "company_id", subject.company_id)}
    return tuple(_fit(subject, offer, scores, carried) for offer in offers)


def _fit(
    subject: Subject, offer: dict[str, Any], scores: dict[str, dict[str, Any]], carried: set[str]
) -> ProductFit:
    product = subject.words.products.get(offer["product"])
    score = scores.get(product.strategy) if product else None
    points = _points(score)
    missing = [f"缺{label}" for column, label in _NEEDED.items() if subject.row[column] is None]
    missing += [f"缺指标：{line.text}" for line in points if line.kind == "missing"]
    if product and product.customers_only and subject.customer is None:
        missing.insert(0, "须先开户")
    if product and product.needs_tag and product.tags and not carried & set(product.tags):
        missing.insert(0, "须有资质：" + "、".join(subject.words.tag(tag) for tag in product.tags))
    return ProductFit(
        code=offer["product"],
        name=subject.words.product(offer["product"]),
        rank=offer["rank"],
        response_index=offer["response_index"],
        basis=BASES.get(offer["basis"], offer["basis"] or ""),
        reason=offer["reason"] or "",
        limit=product.limit_typical if product else "",
        tenor=product.tenor_typical if product else "",
        missing=tuple(missing),
        points=tuple(line for line in points if line.kind != "missing"),
    )


def _points(score: dict[str, Any] | None) -> tuple[Line, ...]:
    if score is None or not score["reasons"]:
        return ()
    lines = []
    for item in json.loads(score["reasons"]):
        unknown = item.get("value") is None and item.get("indicator") not in {"base", "rest"}
        label = item.get("label", "")
        text = label if unknown else f"{label} {item.get('points') or 0:+g} 分"
        lines.append(
            Line(text=text, evidence=f"评分卡 {score['model']}", kind="missing" if unknown else "point")
        )
    return tuple(lines)


def ways_in(subject: Subject) -> tuple[Way, ...]:
    """Return the worded introductions as the viewer may see them; else what the nearness of customers says."""
    rows = subject.reads.rows(INTRODUCTIONS, "company_id", subject.company_id)
    if not rows:
        return _nearness(subject)
    table = pa.Table.from_pylist(rows, schema=INTRODUCTIONS.schema)
    conceal = concealment(subject.viewer, _customers_in(subject, rows), subject.words.institutions)
    seen = conceal_introductions(table, conceal, load_wording()).to_pylist()
    return tuple(_way(row) for row in sorted(seen, key=lambda row: row["rank"]))


def _customers_in(subject: Subject, rows: list[dict[str, Any]]) -> pa.Table:
    """Return the customer rows of every company that the introductions name."""
    numbers = {row["customer_id"] for row in rows if row["customer_id"] is not None}
    for row in rows:
        record = json.loads(row["path"] or "{}")
        for hop in record.get("hops", ()) if isinstance(record, dict) else ():
            ends = (hop["start"], hop["end"])
            numbers |= {end["id"] for end in ends if end["type"] == "company" and end["id"] is not None}
    found = [row for number in sorted(numbers) for row in subject.reads.rows(CUSTOMERS, "company_id", number)]
    return pa.Table.from_pylist(found, schema=CUSTOMERS.schema)


def _way(row: dict[str, Any]) -> Way:
    record = json.loads(row["path"] or "{}")
    hops = record.get("hops", ()) if isinstance(record, dict) else ()
    return Way(
        rank=row["rank"],
        kind=row["kind"],
        wording=row["wording"] or "",
        warmth=row["warmth"] or 0.0,
        hops=row["hops"] or 0,
        proven=bool(row["proven"]),
        steps=tuple(_step(hop) for hop in hops),
    )


def _step(hop: dict[str, Any]) -> Line:
    kind = RELATION_LABELS.get(hop["kind"], hop["kind"])
    end = hop["end"]
    return Line(
        text=joined(
            f"{hop['start']['name']} — {kind}",
            hop.get("role"),
            percent(hop.get("ratio")),
            end["name"],
            by=" ",
        ),
        evidence="；".join(hop.get("evidence") or ()),
        on=hop.get("observed_on") or hop.get("since"),
        amount_cny=hop.get("amount_cny"),
        kind=hop["kind"],
        company_id=end["id"] if end["type"] == "company" else None,
        proven=bool(hop["proven"]),
    )


def _nearness(subject: Subject) -> tuple[Way, ...]:
    found = subject.reads.rows(REACH, "company_id", subject.company_id)
    if not found or not found[0]["hops"]:
        return ()
    row = found[0]
    kind = RELATION_LABELS.get(row["first_kind"], row["first_kind"] or "")
    words = f"距最近的存量客户 {row['hops']} 跳（第一跳：{kind}），可在“触达路径”查看具体路径"
    proven, warmth = bool(row["proven"]), row["warmth"] or 0.0
    return (
        Way(rank=1, kind="near", wording=words, warmth=warmth, hops=row["hops"], proven=proven, steps=()),
    )
