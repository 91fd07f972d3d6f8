"""What a company makes or sells, cleaned: accounting lines left out and counted, names normalised, shares checked.

Reads ``company_goods_records`` and ``goods_records``; writes ``company_goods``.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.chains.catalogue import GoodsNoise
from qiaomen.chains.matcher import NodeMatcher
from qiaomen.chains.nodes import NodeRule
from qiaomen.chains.phrases import Ints
from qiaomen.chains.refs import with_company_ids
from qiaomen.chains.tables import COMPANY_GOODS, GOODS_RECORDS

LONGEST_NAME: Final = 60
_NUMBERING: Final = re.compile(
    r"^(?:其中[:：]?|[((]?(?:\d{1,2}|[一二三四五六七八九十]{1,2})[)).、]\s*)+(?=\D)"
)
_UNIT: Final = re.compile(r"[((](?:万?元|亿元|%|吨|万吨|单位[^()]*)[))]$")
_GAPS: Final = re.compile(r"(?<=[^\x00-\x7f])\s+|\s+(?=[^\x00-\x7f])")
_EDGES: Final = " \t、,，;；。.:：-_*·\"'“”"


@dataclass(frozen=True, slots=True)
class CleanGoods:
    """``table`` conforms to COMPANY_GOODS; read = kept + merged + every reason in ``counts``."""

    table: pa.Table
    counts: Mapping[str, int]


def normalise_goods(name: str) -> str:
    """Return the name as goods are compared: NFKC, without numbering, units, line breaks and edge marks."""
    before, text = None, name
    # Taking one thing away may bring out another: "1、其中：光刻胶(万元)；".
    while before != text:
        before, text = text, _stripped(text)
    return text


def _stripped(name: str) -> str:
    text = "".join(c if c.isprintable() else " " for c in unicodedata.normalize("NFKC", name))
    text = _GAPS.sub("", " ".join(text.split())).strip(_EDGES)
    return _UNIT.sub("", _NUMBERING.sub("", text))


def _reason(name: str, exact: Mapping[str, str], contains: Mapping[str, str]) -> str | None:
    """Return why ``name`` is not goods, or None."""
    if not name:
        return "空名称"
    if len(name) > LONGEST_NAME:
        return "名称过长"
    if not any(c.isalpha() for c in name):
        return "没有文字"
    if name in exact:
        return exact[name]
    return next((reason for word, reason in contains.items() if word in name), None)


def clean_company_goods(
    company_goods_records: pa.Table,
    company_refs: pa.Table | None = None,
    *,
    noise: Sequence[GoodsNoise],
    rules: Sequence[NodeRule] = (),
    matcher: NodeMatcher | None = None,
    goods_records: pa.Table | None = None,
) -> CleanGoods:
    """Return goods by company, one row per company, goods and source.

    The records carry ``company_id`` or are resolved through ``company_refs``. A goods' node is what
    ``goods_records`` states, else the node of the longest keyword in its name.
    """
    records = with_company_ids(company_goods_records, company_refs)
    counts = {"read": records.num_rows, "unresolved": 0, "share_out_of_range": 0, "merged": 0}
    encoded = pc.dictionary_encode(pc.fill_null(records.column("goods_name"), "")).combine_chunks()
    exact, contains = _noise_words(noise)
    raw = encoded.dictionary.to_pylist()
    names = [normalise_goods(name) for name in raw]
    reasons = [_reason(name, exact, contains) for name in names]
    indexes = encoded.indices.to_numpy(zero_copy_only=False)
    for index, times in enumerate(np.bincount(indexes, minlength=len(raw)).tolist()):
        reason = reasons[index]
        if reason is not None:
            counts[f"left_out:{reason}"] = counts.get(f"left_out:{reason}", 0) + times
    is_goods = np.array([reason is None for reason in reasons], dtype=np.bool_)
    goods_mask = is_goods[indexes] if len(raw) else np.empty(0, dtype=np.bool_)
    resolved = records.column("company_id").is_valid().to_numpy(zero_copy_only=False)
    counts["unresolved"] = int((goods_mask & ~resolved).sum())
    nodes = _nodes_of(names, is_goods, rules, matcher, goods_records)
    table = records.append_column("clean", pa.array(names, pa.string()).take(pa.array(indexes)))
    table = table.append_column("node_code", nodes.take(pa.array(indexes)))
    table = table.filter(pa.array(goods_mask & resolved))
    return _deduplicate(table, counts)


def _noise_words(noise: Sequence[GoodsNoise]) -> tuple[dict[str, str], dict[str, str]]:
    exact = {normalise_goods(word): row.reason for row in noise if row.match == "exact" for word in row.words}
    contains = {
        normalise_goods(word): row.reason for row in noise if row.match == "contains" for word in row.words
    }
    return exact, contains


def _nodes_of(
    names: Sequence[str],
    is_goods: np.ndarray,
    rules: Sequence[NodeRule],
    matcher: NodeMatcher | None,
    goods_records: pa.Table | None,
) -> pa.Array:
    """Return the node code of each distinct name, or null."""
    known = {rule.node_code for rule in rules}
    stated: dict[str, str] = {}
    if goods_records is not None:
        ordered = GOODS_RECORDS.conform(goods_records).sort_by(
            [("source", "ascending"), ("record_key", "ascending")]
        )
        for name, code in zip(
            ordered.column("goods_name").to_pylist(), ordered.column("node_code").to_pylist(), strict=True
        ):
            if name and code in known:
                stated.setdefault(normalise_goods(name), code)
    found = [stated.get(name) if good else None for name, good in zip(names, is_goods, strict=True)]
    if matcher is not None:
        matches = matcher.in_names(pa.array(names, pa.string()))
        lengths = np.array([len(word) for word in matcher.words], dtype=np.int64)
        order = np.lexsort((matches.node, -lengths[matches.word], matches.text))
        for text, node in zip(matches.text[order].tolist(), matches.node[order].tolist(), strict=True):
            if found[text] is None and is_goods[text]:
                found[text] = rules[node].node_code
    return pa.array(found, pa.string())


def _deduplicate(table: pa.Table, counts: dict[str, int]) -> CleanGoods:
    """Keep one row per company, goods and source: the one with the largest share, then the smallest key."""
    share = table.column("share").to_numpy(zero_copy_only=False).astype(np.float64)
    with np.errstate(invalid="ignore"):
        wrong = ~np.isnan(share) & ~((share >= 0) & (share <= 1))
    wrong |= np.isnan(share) & table.column("share").is_valid().to_numpy(zero_copy_only=False)
    counts["share_out_of_range"] = int(wrong.sum())
    share = np.where(wrong, np.nan, share)
    names, sources = _ranked(table.column("clean")), _ranked(table.column("source"))
    ids = table.column("company_id").to_numpy(zero_copy_only=False).astype(np.int64)
    keys = _ranked(table.column("record_key"))
    order = np.lexsort((keys, np.where(np.isnan(share), 1.0, -share), sources, names, ids))
    same = np.zeros(order.size, dtype=np.bool_)
    same[1:] = (
        (ids[order][1:] == ids[order][:-1])
        & (names[order][1:] == names[order][:-1])
        & (sources[order][1:] == sources[order][:-1])
    )
    counts["merged"] = int(same.sum())
    kept = order[~same]
    counts["kept"] = int(kept.size)
    picked = table.take(pa.array(kept))
    clean = pa.table(
        {
            "company_id": picked.column("company_id"),
            "goods_name": picked.column("clean"),
            "share": pa.array(share[kept], from_pandas=True),
            "node_code": picked.column("node_code"),
            "source": picked.column("source"),
            "record_key": picked.column("record_key"),
        }
    )
    return CleanGoods(COMPANY_GOODS.conform(clean), counts)


def _ranked(column: pa.ChunkedArray) -> Ints:
    """Return each text's rank among the distinct texts, so that texts sort as numbers."""
    filled = pc.fill_null(column, "")
    distinct = pc.unique(filled)
    ordered = distinct.take(pc.sort_indices(distinct))
    return pc.index_in(filled, value_set=ordered).to_numpy(zero_copy_only=False).astype(np.int64)
