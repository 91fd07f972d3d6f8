"""Amounts, shares and judgements in words, as engine expressions: 70 million pairs need no Python loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from qiaomen.supply.rules import CoreRule

if TYPE_CHECKING:
    import ibis.expr.types as ir

FEN_PER_YI: Final = 10_000_000_000
FEN_PER_WAN: Final = 1_000_000


def _hundredths(value: ir.IntegerValue, unit: int) -> ir.StringValue:
    """Return ``value`` / ``unit`` with two decimals, rounded half up."""
    hundredth = ((value.cast("float64") / (unit / 100.0)) + 0.5).floor().cast("int64")
    whole = (hundredth / 100).floor().cast("int64")
    return whole.cast("string") + "." + (hundredth - whole * 100).cast("string").lpad(2, "0")


def money_words(amount_fen: ir.IntegerValue) -> ir.StringValue:
    """Return an amount as 万元, or 亿元 from one 亿 upwards."""
    import ibis

    size = amount_fen.abs()
    sign = ibis.ifelse(amount_fen < 0, "-", "")
    large = size >= FEN_PER_YI
    return sign + ibis.ifelse(
        large, _hundredths(size, FEN_PER_YI) + " 亿元", _hundredths(size, FEN_PER_WAN) + " 万元"
    )


def share_words(share: ir.FloatingValue) -> ir.StringValue:
    """Return a share as a percentage with one decimal; 未知 where it is missing."""
    tenths = (share * 1000.0 + 0.5).floor().cast("int64")
    whole = (tenths / 10).floor().cast("int64")
    text = whole.cast("string") + "." + (tenths - whole * 10).cast("string") + "%"
    return text.fill_null("未知")


def pair_words(pairs: ir.Table, window: str) -> ir.StringValue:
    """Return the trade of a pair up to its amount."""
    return (
        f"{window} 有效单据 "
        + pairs.documents.cast("string")
        + " 笔，"
        + pairs.months.cast("string")
        + " 个月有交易，最近 "
        + pairs.last_on.cast("string")
        + "，净额 "
    )


def judgement_words(
    label: str,
    share: ir.FloatingValue,
    rank: ir.IntegerValue,
    counterparties: ir.IntegerValue,
    core: ir.BooleanValue,
    rule: CoreRule,
) -> ir.StringValue:
    """Return what decided whether a counterparty is a core one."""
    import ibis

    verdict = ibis.ifelse(core.fill_null(False), f"判为核心{label}", f"不属核心{label}")
    judged = f"{label}：占已知净额 " + share_words(share) + "，第 " + rank.cast("string") + " 位，" + verdict
    unjudged = (
        f"{label}：交易对手 "
        + counterparties.cast("string")
        + f" 家，不足 {rule.min_counterparties} 家，不判断"
    )
    return ibis.ifelse(core.isnull(), unjudged, judged)
