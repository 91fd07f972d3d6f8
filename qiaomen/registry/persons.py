"""Persons: one row per person as far as identity is proven, never merged by name.

A person comes from person_records, from a relation's `person:` reference without a record, or from a relation whose
holder is written by name alone and reads as a natural person. The last two are mentions: one person for one name within
one company, unidentified; that two mentions are the same human being is for the suspected relations to say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.arrays import Ints, first_per_group, ints, look_up, text, whole
from qiaomen.registry.arrays import codes_of as numbered
from qiaomen.registry.names import looks_like_person, normalise_name
from qiaomen.registry.tables import PERSON_IDS, PERSONS

PERSON_SCHEME = "person:"


@dataclass(frozen=True)
class PersonsResult:
    """Persons in force and the append-only table of issued numbers."""

    person_ids: pa.Table
    persons: pa.Table


def build_persons(
    person_records: pa.Table,
    relation_records: pa.Table,
    known_ids: pa.Table,
    company_refs: pa.Table | None = None,
) -> PersonsResult:
    """Build the persons.

    ``known_ids`` is PERSON_IDS so far. With ``company_refs`` a holder by name is a person exactly where identity said
    so (how = person); without it, where the name reads as one.
    """
    records = person_records.sort_by([("source", "ascending"), ("record_key", "ascending")])
    columns = {
        name: whole(records[name]) for name in ("person_ref", "name", "gender", "birth_year", "source")
    }
    columns["identified"] = pc.fill_null(whole(records["identified"]), False)
    mentions = _mentions(relation_records, person_names(relation_records, company_refs))
    every = pa.concat_tables(
        [pa.table(columns), mentions.select(list(columns))], promote_options="permissive"
    )
    every = every.filter(pc.is_valid(every["person_ref"]))
    codes, distinct = numbered(whole(every["person_ref"]))
    rows = first_per_group(codes, np.ones(len(codes), np.bool_), len(distinct))
    persons = every.take(pa.array(rows))
    numbers, issued = _numbers(whole(persons["person_ref"]), known_ids)
    persons = persons.append_column("person_id", pa.array(numbers))
    return PersonsResult(issued, PERSONS.conform(persons.sort_by("person_id")))


def person_names(relation_records: pa.Table, company_refs: pa.Table | None) -> pa.Array:
    """Return the distinct `name:` references that stand for natural persons."""
    refs = pc.unique(text(relation_records, "from_ref"))
    refs = refs.filter(pc.starts_with(pc.fill_null(refs, ""), "name:"))
    if company_refs is not None:
        said = company_refs.filter(pc.equal(company_refs["how"], "person"))["ref"]
        return refs.filter(pc.is_in(refs, value_set=whole(said)))
    kept = [ref for ref in refs.to_pylist() if looks_like_person(normalise_name(ref.partition(":")[2]))]
    return pa.array(kept, pa.string())


def mention_refs(relation_records: pa.Table, names: pa.Array) -> pa.Array:
    """Return from_ref with a person's bare name replaced by `person:mention:<name>@<to_ref>`; others unchanged."""
    refs = text(relation_records, "from_ref")
    bare = pc.is_in(refs, value_set=names)
    name = pc.replace_substring_regex(refs, "^name:", "")
    keyed = pc.binary_join_element_wise(
        "person:mention:", name, "@", pc.fill_null(text(relation_records, "to_ref"), ""), ""
    )
    return pc.if_else(bare, keyed, refs)


def _mentions(relation_records: pa.Table, names: pa.Array) -> pa.Table:
    refs = mention_refs(relation_records, names)
    person = pc.starts_with(pc.fill_null(refs, ""), PERSON_SCHEME)
    fallback = pc.replace_substring_regex(refs, r"^person:.*:|@.*$", "")
    table = pa.table(
        {
            "person_ref": refs,
            "name": pc.coalesce(text(relation_records, "from_name"), fallback),
            "source": text(relation_records, "source"),
        }
    ).filter(person)
    rows = table.num_rows
    return (
        table.append_column("gender", pa.nulls(rows, pa.string()))
        .append_column("birth_year", pa.nulls(rows, pa.int64()))
        .append_column("identified", pa.array(np.zeros(rows, np.bool_)))
    )


def _numbers(refs: pa.Array, known_ids: pa.Table) -> tuple[Ints, pa.Table]:
    numbers = look_up(refs, whole(known_ids["key"]), ints(known_ids["person_id"]))
    waiting = np.flatnonzero(numbers < 0)
    if len(waiting):
        order = waiting[np.asarray(pc.sort_indices(refs.take(pa.array(waiting))))]
        start = int(pc.max(known_ids["person_id"]).as_py() or 0) + 1
        numbers[order] = start + np.arange(len(order))
        new = pa.table({"person_id": numbers[order], "key": refs.take(pa.array(order))})
        known_ids = pa.concat_tables([PERSON_IDS.conform(known_ids), PERSON_IDS.conform(new)])
    return numbers, PERSON_IDS.conform(known_ids)
