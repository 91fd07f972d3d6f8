"""Suspected relations: same phone, e-mail, address, or same-name persons. Never proven, never a merge.

A value that more than ``cap`` companies share (an agent's telephone, an office tower's lobby) says nothing: such groups
are reported and give no relation.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.addresses import normalise_address
from qiaomen.registry.arrays import Ints, codes_of, group_starts, ints, strings, text, whole
from qiaomen.registry.tables import RELATIONS
from qiaomen.vocab import RelationKind

CAP: Final = 12
_DIGIT: Final = re.compile(r"[0-9]")
_NOT_DIGIT: Final = re.compile(r"[^0-9]+")


@dataclass(frozen=True, slots=True)
class Oversize:
    """A group too large to suspect anything: kind, number of members, and the value with its middle hidden."""

    kind: str
    members: int
    value: str


@dataclass(frozen=True)
class _Pairs:
    one: Ints
    other: Ints
    code: Ints
    size: Ints


def suspected_relations(
    companies: pa.Table, persons: pa.Table, relations: pa.Table, cap: int = CAP
) -> tuple[pa.Table, list[Oversize]]:
    """Return the suspected relations between companies and between persons, and the groups over the cap."""
    tables, oversize = [], []
    for kind, column, clean, words, confidence in (
        (RelationKind.SAME_PHONE, "phone", comparable_phone, "登记电话相同", 0.5),
        (RelationKind.SAME_EMAIL, "email", comparable_email, "登记邮箱相同", 0.6),
        (RelationKind.SAME_ADDRESS, "address", comparable_address, "登记地址相同", 0.4),
    ):
        values = _cleaned(text(companies, column), clean)
        pairs, large, distinct = _grouped(values, ints(companies["company_id"]), kind, cap)
        oversize.extend(large)
        tables.append(_rows(kind, "company", pairs, distinct, words, np.full(len(pairs.one), confidence)))
    for values, numbers, words, base in _person_keys(persons, relations):
        pairs, large, distinct = _grouped(values, numbers, RelationKind.SAME_NAME_PERSON, cap)
        oversize.extend(large)
        sure = np.minimum(base, 2 * base / np.maximum(pairs.size, 1))
        tables.append(_rows(RelationKind.SAME_NAME_PERSON, "person", pairs, distinct, words, sure))
    every = pa.concat_tables(tables)
    known = (
        np.isin(ints(every["from_id"]), _identified(persons))
        & np.isin(ints(every["to_id"]), _identified(persons))
        & np.asarray(pc.equal(every["from_type"], "person").to_numpy())
    )
    return _strongest(every.filter(pa.array(~known))), oversize


def comparable_phone(phone: str) -> str:
    """Return the digits of a telephone number without country code; empty where it is no real number."""
    digits = _NOT_DIGIT.sub("", phone)
    digits = digits[2:] if len(digits) > 11 and digits.startswith("86") else digits
    return digits if 7 <= len(digits) <= 16 and len(set(digits)) > 2 and "1234567" not in digits else ""


def comparable_email(email: str) -> str:
    """Return an e-mail address in lower case; empty where it is none."""
    address = email.strip().lower()
    return address if re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]{2,}", address) else ""


def comparable_address(address: str) -> str:
    """Return a registered address for comparing; empty where it names no number of a house or room."""
    normal = normalise_address(address)
    code, _, rest = normal.partition("|")
    return normal if code and len(rest) >= 6 and _DIGIT.search(rest) else ""


def _cleaned(values: pa.Array, clean: Callable[[str], str]) -> pa.Array:
    codes, distinct = codes_of(values)
    cleaned = strings([clean(value) or None for value in distinct.to_pylist()])
    return cleaned.take(pa.array(codes, mask=codes < 0)) if len(distinct) else values


def _grouped(
    values: pa.Array, numbers: Ints, kind: RelationKind, cap: int
) -> tuple[_Pairs, list[Oversize], pa.Array]:
    """Return all pairs within each group of equal values up to the cap, each pair with the lower number first."""
    codes, distinct = codes_of(values)
    rows = np.flatnonzero(codes >= 0)
    unique = np.unique(np.column_stack([codes[rows], numbers[rows]]), axis=0)
    code, number = unique[:, 0], unique[:, 1]
    starts = group_starts(code)
    sizes = np.diff(np.r_[starts, len(code)])
    large = [
        Oversize(kind.value, int(sizes[i]), _hidden(distinct[int(code[starts[i]])].as_py()))
        for i in np.flatnonzero(sizes > cap).tolist()
    ]
    size = np.repeat(sizes, sizes)
    usable = size <= cap
    parts = []
    for step in range(1, cap):
        first = (
            np.flatnonzero(usable[:-step] & (code[:-step] == code[step:])) if len(code) > step else starts[:0]
        )
        parts.append(np.column_stack([number[first], number[first + step], code[first], size[first]]))
    joined = np.concatenate(parts) if parts else np.zeros((0, 4), np.int64)
    return _Pairs(joined[:, 0], joined[:, 1], joined[:, 2], joined[:, 3]), large, distinct


def _hidden(value: str) -> str:
    text_part = value.partition("\t")[0]
    return text_part if len(text_part) <= 4 else f"{text_part[:2]}…{text_part[-2:]}"


def _person_keys(persons: pa.Table, relations: pa.Table) -> list[tuple[pa.Array, Ints, str, float]]:
    """Return the two grounds for suspecting one human being: name, gender and birth year; or name and company."""
    name = text(persons, "name")
    numbers = ints(persons["person_id"])
    by_traits = pc.binary_join_element_wise(
        name, text(persons, "gender"), whole(persons["birth_year"]).cast(pa.string()), "\t"
    )
    tied = relations.filter(pc.equal(relations["from_type"], "person"))
    people = ints(tied["from_id"])
    order = np.argsort(numbers)
    place = np.searchsorted(numbers[order], people)
    names = (
        name.take(pa.array(order[np.minimum(place, max(len(order) - 1, 0))]))
        if len(order)
        else name.slice(0, 0)
    )
    company = whole(tied["to_id"]).cast(pa.string())
    by_company = pc.binary_join_element_wise(names, company, "\t") if len(order) else strings([])
    return [
        (by_traits, numbers, "姓名、性别、出生年相同，疑似同一人，未证实", 0.6),
        (by_company, people if len(order) else people[:0], "姓名相同且在同一家企业，疑似同一人，未证实", 0.9),
    ]


def _identified(persons: pa.Table) -> Ints:
    return ints(persons.filter(pc.fill_null(persons["identified"], False))["person_id"])


def _rows(
    kind: RelationKind, node: str, pairs: _Pairs, distinct: pa.Array, words: str, confidence: np.ndarray
) -> pa.Table:
    count = len(pairs.one)
    shown = {code: _hidden(distinct[code].as_py()) for code in np.unique(pairs.code).tolist()}
    tail = "" if node == "person" else "，疑似关联，未证实"
    evidence = [f"{words}（{shown[code]}）{tail}" for code in pairs.code.tolist()]
    keys = [
        f"{kind.value}:{one}-{other}"
        for one, other in zip(pairs.one.tolist(), pairs.other.tolist(), strict=True)
    ]
    return RELATIONS.conform(
        pa.table(
            {
                "kind": strings([kind.value] * count),
                "from_type": strings([node] * count),
                "from_id": pa.array(pairs.one),
                "to_type": strings([node] * count),
                "to_id": pa.array(pairs.other),
                "proven": pa.array([False] * count, pa.bool_()),
                "confidence": pa.array(np.round(confidence, 4), pa.float64()),
                "evidence": strings(evidence),
                "source": strings(["derived"] * count),
                "record_key": strings(keys),
            }
        )
    )


def _strongest(relations: pa.Table) -> pa.Table:
    """Keep one row per pair and kind: the one that is surest."""
    order = pc.sort_indices(relations, sort_keys=[("record_key", "ascending"), ("confidence", "descending")])
    ordered = relations.take(order)
    codes, _ = codes_of(whole(ordered["record_key"]))
    return ordered.take(pa.array(np.unique(codes, return_index=True)[1]))
