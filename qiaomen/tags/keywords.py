"""Keyword rules: words in names, scopes, descriptions and goods. Text work, batch by batch, in Arrow.

A phrase in brackets that begins with 不含, 除 or the like says what the company does not do and is not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.tags.rules import TEXT_FIELDS, KeywordRule

if TYPE_CHECKING:
    import ibis.expr.types as ir

BATCH_COMPANIES: Final = 200_000
NEGATIONS: Final = re.compile(r"[（(\[](?:不含|不包括|除|不得|禁止|未经)[^）)\]]*[）)\]]")
FIELD_LABELS: Final = {
    "name": "名称",
    "scope": "经营范围",
    "description": "简介",
    "industry_name": "行业",
    "goods": "主营产品",
}
TAGGED_SCHEMA: Final = pa.schema(
    [
        ("company_id", pa.int64()),
        ("tag", pa.string()),
        ("position", pa.int64()),
        ("since", pa.date32()),
        ("evidence", pa.string()),
    ]
)

Placed = tuple[str, int, KeywordRule]


@lru_cache(maxsize=1024)
def _quick_pattern(words: tuple[str, ...]) -> str:
    """Return the RE2 pattern that finds any of the words; a superset of ``_word_pattern``."""
    pattern = "|".join(re.escape(word) for word in words)
    return (
        f"(?i){pattern}" if any(word.isascii() or re.search("[A-Za-z]", word) for word in words) else pattern
    )


@lru_cache(maxsize=1024)
def _word_pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    parts = []
    for word in sorted(words, key=lambda word: (-len(word), word)):
        before = r"(?<![A-Za-z0-9])" if re.match("[A-Za-z0-9]", word) else ""
        after = r"(?![A-Za-z0-9])" if re.search("[A-Za-z0-9]$", word) else ""
        parts.append(f"{before}{re.escape(word)}{after}")
    return re.compile("|".join(parts), re.IGNORECASE)


def find_word(text: str | None, rule: KeywordRule) -> str | None:
    """Return the first declared word that counts in ``text``, else None."""
    if not text:
        return None
    cleaned = NEGATIONS.sub("；", text)
    for phrase in rule.excludes:
        cleaned = cleaned.replace(phrase, "；")
    found = _word_pattern(rule.words).search(cleaned)
    return found.group() if found else None


def read_field(text: str | None, field: str, rule: KeywordRule) -> str | None:
    """Return the part of a field that the rule reads."""
    return text[: rule.head_chars] if text and field == "scope" and rule.head_chars else text


def in_trade(industry_code: str | None, rule: KeywordRule) -> bool:
    """Tell whether the company's trade is among those that the rule allows."""
    return not rule.industries or bool(industry_code and industry_code.startswith(rule.industries))


def _field_hits(column: pa.Array, field: str, rule: KeywordRule) -> Iterator[tuple[int, str]]:
    """Yield (row, word) for the rows of one text column where the rule finds a word."""
    quick = pc.match_substring_regex(column, _quick_pattern(rule.words))
    rows = np.flatnonzero(pc.fill_null(quick, False).to_numpy(zero_copy_only=False))
    for row in rows.tolist():
        word = find_word(read_field(column[row].as_py(), field, rule), rule)
        if word is not None:
            yield row, word


def _text_hits(batch: pa.RecordBatch, placed: Sequence[Placed]) -> Iterator[dict[str, object]]:
    numbers, trades, sources = (
        batch.column(name).to_pylist() for name in ("company_id", "industry_code", "sources")
    )
    for code, position, rule in placed:
        seen: set[int] = set()
        for field in rule.fields:
            if field == "goods":
                continue
            for row, word in _field_hits(batch.column(field), field, rule):
                if row in seen or not in_trade(trades[row], rule):
                    continue
                seen.add(row)
                evidence = f"{FIELD_LABELS[field]}含“{word}”｜companies/{sources[row] or ''}/{numbers[row]}"
                yield _row(numbers[row], code, position, evidence)


def _row(company_id: int, code: str, position: int, evidence: str) -> dict[str, object]:
    return {"company_id": company_id, "tag": code, "position": position, "since": None, "evidence": evidence}


def _goods_hits(batch: pa.RecordBatch, placed: Sequence[Placed]) -> Iterator[dict[str, object]]:
    names = batch.column("goods_name").dictionary_encode()
    words, places = names.dictionary, names.indices.to_numpy(zero_copy_only=False)
    numbers, sources, keys, trades = (
        batch.column(name) for name in ("company_id", "source", "record_key", "industry_code")
    )
    for code, position, rule in placed:
        hits = dict(_field_hits(words, "goods", rule))
        for row in np.flatnonzero(np.isin(places, list(hits))).tolist() if hits else ():
            if not in_trade(trades[row].as_py(), rule):
                continue
            word = hits[int(places[row])]
            place = f"{sources[row].as_py() or ''}/{keys[row].as_py() or ''}"
            evidence = (
                f"{FIELD_LABELS['goods']}含“{word}”（{words[int(places[row])]}）｜company_goods/{place}"
            )
            yield _row(numbers[row].as_py(), code, position, evidence)


def _batches(table: ir.Table) -> Iterator[pa.RecordBatch]:
    """Yield the table by ranges of company numbers, so that texts of millions of companies never meet in memory."""
    last = table.company_id.max().to_pyarrow().as_py()
    for first in range(0, (last or -1) + 1, BATCH_COMPANIES):
        part = table.filter(table.company_id >= first, table.company_id < first + BATCH_COMPANIES)
        yield from part.to_pyarrow().combine_chunks().to_batches()


def keyword_rows(tables: Mapping[str, ir.Table], placed: Sequence[Placed]) -> Iterator[pa.Table]:
    """Yield the tagged rows of all keyword rules, a range of companies at a time."""
    companies = tables["companies"]
    for batch in _batches(companies.select("company_id", "industry_code", "sources", *TEXT_FIELDS)):
        yield pa.Table.from_pylist(list(_text_hits(batch, placed)), schema=TAGGED_SCHEMA)
    on_goods = [place for place in placed if "goods" in place[2].fields]
    if "company_goods" not in tables or not on_goods:
        return
    goods = tables["company_goods"].filter(tables["company_goods"].company_id.notnull())
    goods = goods.left_join(companies.select("company_id", "industry_code"), "company_id")
    for batch in _batches(goods.select("company_id", "goods_name", "source", "record_key", "industry_code")):
        yield pa.Table.from_pylist(list(_goods_hits(batch, on_goods)), schema=TAGGED_SCHEMA)
