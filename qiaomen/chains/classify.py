"""On which nodes each company sits, why and how surely.

Reads ``companies``, ``company_goods``, ``company_node_records``; writes ``company_nodes``. The grounds in order of
strength: declared row, goods, GB/T 4754 code or trade name, business scope, description.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.chains.catalogue import Ground
from qiaomen.chains.matcher import NodeMatcher
from qiaomen.chains.nodes import NodeRule
from qiaomen.chains.phrases import Ints
from qiaomen.chains.refs import with_company_ids
from qiaomen.chains.tables import COMPANY_NODES

BASES: Final = ("declared", "goods", "industry", "scope", "description")
"""Grounds from the strongest to the weakest."""

MINOR_SHARE: Final = 0.05
HIGHEST: Final = 0.99


@dataclass(frozen=True, slots=True)
class Classified:
    """``table`` conforms to COMPANY_NODES; ``counts`` says what was found per ground and what was set aside."""

    table: pa.Table
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class _Finding:
    """Rows of one ground, at most one per company and node: words and place of the evidence."""

    basis: int
    company: Ints
    node: Ints
    confidence: np.ndarray
    words: pa.Array
    place: pa.Array


def classify_companies(
    companies: pa.Table,
    rules: Sequence[NodeRule],
    grounds: Mapping[str, Ground],
    *,
    company_goods: pa.Table | None = None,
    company_node_records: pa.Table | None = None,
    company_refs: pa.Table | None = None,
    matcher: NodeMatcher | None = None,
) -> Classified:
    """Return one row per company and node with its strongest ground.

    Confidence is the highest among the grounds, and a little more for each further ground that agrees.
    """
    matcher = matcher or NodeMatcher(rules, grounds)
    counts: dict[str, int] = {"companies": companies.num_rows}
    found: list[_Finding] = []
    if company_node_records is not None:
        found.append(_declared(with_company_ids(company_node_records, company_refs), rules, grounds, counts))
    if company_goods is not None and company_goods.num_rows:
        found.extend(_goods(company_goods, rules, grounds, matcher))
    found.append(_industry_codes(companies, rules, grounds))
    found.append(_industry_words(companies, grounds, matcher))
    found.append(_prose(companies, "scope", "经营范围", grounds, matcher))
    found.append(_prose(companies, "description", "企业简介", grounds, matcher))
    table = _strongest(found, rules, grounds["agreement"].confidence)
    known = pc.is_in(table.column("company_id"), value_set=companies.column("company_id").combine_chunks())
    counts["not_a_company"] = int(pc.sum(pc.invert(known)).as_py() or 0)
    table = table.filter(known)
    sure = pc.greater_equal(table.column("confidence"), grounds["floor"].confidence)
    counts["below_floor"] = int(pc.sum(pc.invert(sure)).as_py() or 0)
    table = table.filter(sure)
    for basis in BASES:
        counts[f"basis:{basis}"] = int(pc.sum(pc.equal(table.column("basis"), basis)).as_py() or 0)
    counts["classified"] = pc.count_distinct(table.column("company_id")).as_py()
    return Classified(table, counts)


def _declared(
    records: pa.Table, rules: Sequence[NodeRule], grounds: Mapping[str, Ground], counts: dict[str, int]
) -> _Finding:
    codes = pa.array([rule.node_code for rule in rules], pa.string())
    node = pc.index_in(records.column("node_code"), value_set=codes)
    resolved = records.column("company_id").is_valid()
    counts["declared:unresolved"] = int(pc.sum(pc.invert(resolved)).as_py() or 0)
    counts["declared:unknown_node"] = int(pc.sum(pc.invert(node.is_valid())).as_py() or 0)
    kept = pc.and_(resolved, node.is_valid())
    records, node = records.filter(kept), node.filter(kept)
    names = pa.array([rule.node_name for rule in rules], pa.string()).take(node.combine_chunks())
    since = pc.fill_null(pc.strftime(records.column("observed_on"), format="（%Y-%m-%d）"), "")
    words = pc.binary_join_element_wise("来源申报为“", names, "”", since, "")
    newest = records.column("observed_on").cast(pa.int32()).fill_null(-(2**31)).to_numpy().astype(np.int64)
    return _one_each(
        0,
        records.column("company_id").to_numpy().astype(np.int64),
        node.to_numpy().astype(np.int64),
        np.full(records.num_rows, grounds["declared"].confidence),
        _flat(words),
        _place("company_node_records", records),
        tie=-newest,
    )


def _goods(
    goods: pa.Table, rules: Sequence[NodeRule], grounds: Mapping[str, Ground], matcher: NodeMatcher
) -> list[_Finding]:
    """Find nodes by the goods' names, and by the node that a source states for the goods."""
    encoded = pc.dictionary_encode(goods.column("goods_name")).combine_chunks()
    matches = matcher.in_names(encoded.dictionary)
    starts = np.searchsorted(matches.text, np.arange(len(encoded.dictionary) + 1))
    which = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    sizes = starts[which + 1] - starts[which]
    rows = np.repeat(np.arange(which.size), sizes)
    at = starts[which][rows] + np.arange(rows.size) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    keyword = pa.array(matcher.words, pa.string()).take(pa.array(matches.word[at]))
    by_word = _goods_finding(
        goods, rows, matches.node[at], pc.binary_join_element_wise("含“", keyword, "”", ""), grounds
    )
    codes = pa.array([rule.node_code for rule in rules], pa.string())
    stated = pc.index_in(goods.column("node_code"), value_set=codes)
    rows = np.flatnonzero(stated.is_valid().to_numpy(zero_copy_only=False))
    node = stated.drop_null().to_numpy().astype(np.int64)
    names = pa.array([rule.node_name for rule in rules], pa.string()).take(pa.array(node))
    by_statement = _goods_finding(
        goods, rows, node, pc.binary_join_element_wise("属“", names, "”", ""), grounds
    )
    return [by_word, by_statement]


def _goods_finding(
    goods: pa.Table, rows: Ints, node: Ints, tail: pa.Array, grounds: Mapping[str, Ground]
) -> _Finding:
    picked = goods.take(pa.array(rows, pa.int64()))
    share = picked.column("share").to_numpy(zero_copy_only=False).astype(np.float64)
    minor = ~np.isnan(share) & (share < MINOR_SHARE)
    confidence = np.where(minor, grounds["goods_minor"].confidence, grounds["goods"].confidence)
    percent = pc.cast(pc.round(pc.multiply(picked.column("share"), 100.0), 1), pa.string())
    shown = pc.fill_null(pc.binary_join_element_wise("（占收入 ", percent, "%）", ""), "")
    words = pc.binary_join_element_wise("主营产品“", picked.column("goods_name"), "”", shown, _flat(tail), "")
    return _one_each(
        1,
        picked.column("company_id").to_numpy(zero_copy_only=False).astype(np.int64),
        node,
        confidence,
        _flat(words),
        _place("company_goods_records", picked),
        tie=np.where(np.isnan(share), 1.0, -share),
    )


def _industry_codes(
    companies: pa.Table, rules: Sequence[NodeRule], grounds: Mapping[str, Ground]
) -> _Finding:
    """Find nodes whose declared GB/T 4754 code is a prefix of the company's, with or without the letter."""
    encoded = pc.dictionary_encode(pc.fill_null(companies.column("industry_code"), "")).combine_chunks()
    implied: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        for code in rule.industries:
            implied.setdefault(code, []).append(number)
            if len(code) > 1:
                implied.setdefault(code[1:], []).append(number)
    codes = [code.strip().upper() for code in _dictionary(encoded)]
    nodes_of = [
        sorted({found for length in range(1, len(code) + 1) for found in implied.get(code[:length], ())})
        for code in codes
    ]
    rows, node = _spread(encoded, nodes_of)
    shown = pa.array(codes, pa.string()).take(pa.array(_indices(encoded)[rows]))
    names = pa.array([rule.node_name for rule in rules], pa.string()).take(pa.array(node))
    words = pc.binary_join_element_wise("行业代码 ", shown, "（GB/T 4754）属“", names, "”", "")
    return _of_companies(2, companies, rows, node, np.full(rows.size, grounds["industry"].confidence), words)


def _industry_words(companies: pa.Table, grounds: Mapping[str, Ground], matcher: NodeMatcher) -> _Finding:
    encoded = pc.dictionary_encode(pc.fill_null(companies.column("industry_name"), "")).combine_chunks()
    texts = _dictionary(encoded)
    matches = matcher.in_names(pa.array(texts, pa.string()))
    nodes_of: list[list[int]] = [[] for _ in texts]
    words_of: dict[tuple[int, int], str] = {}
    for text, found, word in zip(
        matches.text.tolist(), matches.node.tolist(), matches.word.tolist(), strict=True
    ):
        nodes_of[text].append(found)
        words_of[text, found] = f"行业“{texts[text]}”含“{matcher.words[word]}”"
    rows, node = _spread(encoded, nodes_of)
    which = _indices(encoded)[rows]
    words = pa.array(
        [words_of[pair] for pair in zip(which.tolist(), node.tolist(), strict=True)], pa.string()
    )
    confidence = np.full(rows.size, grounds["industry_words"].confidence)
    return _of_companies(2, companies, rows, node, confidence, words)


def _prose(
    companies: pa.Table, column: str, label: str, grounds: Mapping[str, Ground], matcher: NodeMatcher
) -> _Finding:
    matches = matcher.in_prose(companies.column(column))
    keyword = pa.array(matcher.words, pa.string()).take(pa.array(matches.word))
    only = pa.array(np.where(matches.factor < 1, "（仅经销）", ""), pa.string())
    words = pc.binary_join_element_wise(f"{label}含“", keyword, "”", only, "")
    confidence = grounds[column].confidence * matches.factor
    return _of_companies(BASES.index(column), companies, matches.text, matches.node, confidence, words)


def _dictionary(encoded: pa.Array) -> list[str]:
    return encoded.dictionary.to_pylist() if len(encoded) else []


def _indices(encoded: pa.Array) -> Ints:
    if not len(encoded):
        return np.empty(0, dtype=np.int64)
    return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)


def _spread(encoded: pa.Array, nodes_of: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    """Return (row, node) for every node of every row's distinct value."""
    which = _indices(encoded)
    sizes = np.array([len(nodes) for nodes in nodes_of], dtype=np.int64)
    flat = np.array([node for nodes in nodes_of for node in nodes], dtype=np.int64)
    if not flat.size or not which.size:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    starts = np.cumsum(sizes) - sizes
    repeat = sizes[which]
    rows = np.repeat(np.arange(which.size), repeat)
    at = starts[which][rows] + np.arange(rows.size) - np.repeat(np.cumsum(repeat) - repeat, repeat)
    return rows, flat[at]


def _of_companies(
    basis: int, companies: pa.Table, rows: Ints, node: Ints, confidence: np.ndarray, words: pa.Array
) -> _Finding:
    ids = companies.column("company_id").to_numpy(zero_copy_only=False).astype(np.int64)[rows]
    place = pc.binary_join_element_wise("companies/registry/", pa.array(ids).cast(pa.string()), "")
    return _Finding(basis, ids, node, confidence, _flat(words), _flat(place))


def _place(table: str, records: pa.Table) -> pa.Array:
    return _flat(
        pc.binary_join_element_wise(
            f"{table}/",
            pc.fill_null(records.column("source"), ""),
            "/",
            pc.fill_null(records.column("record_key"), ""),
            "",
        )
    )


def _flat(column: pa.Array | pa.ChunkedArray) -> pa.Array:
    if not isinstance(column, pa.ChunkedArray):
        return column
    return column.combine_chunks() if column.num_chunks else pa.array([], column.type)


def _one_each(
    basis: int,
    company: Ints,
    node: Ints,
    confidence: np.ndarray,
    words: pa.Array,
    place: pa.Array,
    *,
    tie: np.ndarray,
) -> _Finding:
    """Keep the surest row per company and node; ``tie`` (smaller first), then the order of rows, decides."""
    order = np.lexsort((tie, -confidence, node, company))
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (company[order][1:] != company[order][:-1]) | (node[order][1:] != node[order][:-1])
    kept = order[first]
    taken = pa.array(kept, pa.int64())
    return _Finding(basis, company[kept], node[kept], confidence[kept], words.take(taken), place.take(taken))


def _strongest(found: Sequence[_Finding], rules: Sequence[NodeRule], bonus: float) -> pa.Table:
    """Join the findings: the strongest ground gives basis and evidence, the surest gives the confidence."""
    company = np.concatenate([part.company for part in found])
    node = np.concatenate([part.node for part in found])
    basis = np.concatenate([np.full(part.company.size, part.basis, dtype=np.int64) for part in found])
    confidence = np.concatenate([part.confidence for part in found])
    order = np.lexsort((-confidence, basis, node, company))
    company, node, basis = company[order], node[order], basis[order]
    first = np.ones(order.size, dtype=np.bool_)
    first[1:] = (company[1:] != company[:-1]) | (node[1:] != node[:-1])
    starts = np.flatnonzero(first)
    if not starts.size:
        return COMPANY_NODES.empty()
    mask = np.bitwise_or.reduceat(np.int64(1) << basis, starts)
    grounds = np.array([value.bit_count() for value in range(1 << len(BASES))])[mask]
    surest = np.maximum.reduceat(confidence[order], starts) + bonus * (grounds - 1)
    picked = pa.array(order[starts], pa.int64())
    words = pa.concat_arrays([part.words for part in found]).take(picked)
    place = pa.concat_arrays([part.place for part in found]).take(picked)
    support = pa.array([_support(value) for value in range(1 << len(BASES))], pa.string()).take(
        pa.array(mask)
    )
    at = pa.array(node[starts])
    table = pa.table(
        {
            "company_id": pa.array(company[starts]),
            "node_code": pa.array([rule.node_code for rule in rules], pa.string()).take(at),
            "chain_code": pa.array([rule.chain_code for rule in rules], pa.string()).take(at),
            "stage": pa.array([rule.stage for rule in rules], pa.string()).take(at),
            "basis": pa.array(BASES, pa.string()).take(pa.array(basis[starts])),
            "confidence": pa.array(np.round(np.minimum(surest, HIGHEST), 4)),
            "evidence": pc.binary_join_element_wise(words, support, "｜", place, ""),
        }
    )
    return COMPANY_NODES.conform(table)


_LABELS: Final = ("来源申报", "主营产品", "所属行业", "经营范围", "企业简介")


def _support(mask: int) -> str:
    """Word the grounds that agree with the strongest one."""
    present = [label for bit, label in enumerate(_LABELS) if mask >> bit & 1]
    return f"；{'、'.join(present[1:])}亦支持" if len(present) > 1 else ""
