"""The index that customer names are looked up in: exact names, codes and character pairs, as plain numpy arrays.

Built once a run from companies and company_names, stored beside the lake and memory-mapped by ``Matcher``. A name is
indexed by its places (without 市, 省) and its core; pairs of neighbours count in full, pairs one apart by half, so that
one wrong character leaves most of a name findable.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from qiaomen.registry.arrays import ints, text, whole
from qiaomen.registry.clusters import is_masked
from qiaomen.registry.names import NameParts, parse_name
from qiaomen.registry.places import short_division_name
from qiaomen.registry.suspects import comparable_phone

Arrays = dict[str, npt.NDArray[Any]]
KINDS: Final = ("legal", "former", "short")
FACTORS: Final = (1.0, 0.5)
"""Weight of a pair of characters by how far they stand apart: neighbours, one between."""
_SHIFT: Final = np.uint64(21)
_AT_ONCE: Final = 100_000
_READ: Final = (
    "company_id",
    "uscc",
    "name",
    "origin",
    "region_code",
    "phone",
    "legal_representative",
    "address",
)


def index_text(name: str, parts: NameParts) -> str:
    """Return what of a normalised name is indexed: places in short form, 字号 and 行业; the form is left out."""
    region = short_division_name(parts.region_text) if parts.region_text else ""
    found = region.replace("市", "").replace("省", "") + parts.core
    return found.replace("(", "").replace(")", "") or name


def hash_texts(values: Iterable[str]) -> npt.NDArray[np.uint64]:
    """Return a 64-bit hash of each text, the same on every machine."""
    digests = b"".join(hashlib.blake2b(value.encode(), digest_size=8).digest() for value in values)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def pairs_of(
    texts: Sequence[str],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return character pairs of all texts as (pair, text number, distance 0 or 1), each pair of a text once."""
    lengths = np.array([len(value) for value in texts], dtype=np.int64)
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    owner = np.repeat(np.arange(len(texts), dtype=np.int32), lengths)
    grams, docs, distances = [], [], []
    for distance in range(len(FACTORS)):
        step = distance + 1
        same = owner[:-step] == owner[step:] if len(owner) > step else np.zeros(0, np.bool_)
        first = np.flatnonzero(same)
        grams.append((points[first] << _SHIFT) | points[first + step])
        docs.append(owner[first])
        distances.append(np.full(len(first), distance, np.uint8))
    single = np.flatnonzero(lengths == 1)
    starts = np.cumsum(lengths) - lengths
    grams.append(points[starts[single]])
    docs.append(single.astype(np.int32))
    distances.append(np.zeros(len(single), np.uint8))
    gram, doc, distance_of = np.concatenate(grams), np.concatenate(docs), np.concatenate(distances)
    order = np.lexsort((distance_of, gram, doc))
    gram, doc, distance_of = gram[order], doc[order], distance_of[order]
    fresh = (
        np.r_[True, (gram[1:] != gram[:-1]) | (doc[1:] != doc[:-1])] if len(gram) else np.zeros(0, np.bool_)
    )
    return gram[fresh], doc[fresh], distance_of[fresh]


def pack(values: Iterable[str | None]) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.int64]]:
    """Return texts as one run of UTF-8 bytes and the start of each (one more start than texts)."""
    encoded = [(value or "").encode("utf-8", "replace") for value in values]
    starts = np.zeros(len(encoded) + 1, dtype=np.int64)
    np.cumsum([len(item) for item in encoded], out=starts[1:])
    return np.frombuffer(b"".join(encoded), dtype=np.uint8).copy(), starts


def unpack(blob: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], position: int) -> str:
    """Return one text of a packed run."""
    return bytes(blob[starts[position] : starts[position + 1]]).decode("utf-8")


def build_match_index(companies: pa.Table, company_names: pa.Table) -> Arrays:
    """Build the index over companies of origin registry, by all their legal, former and short names."""
    listed = companies.select(_READ).filter(pc.equal(companies["origin"], "registry")).sort_by("company_id")
    numbers = ints(listed["company_id"])
    named = company_names.select(["company_id", "name_norm", "kind"]).filter(
        pc.and_(
            pc.is_in(company_names["company_id"], value_set=pa.array(numbers, pa.int64())),
            pc.is_in(company_names["kind"], value_set=pa.array(KINDS)),
        )
    )
    names = pc.fill_null(named["name_norm"], "").to_pylist()
    readable = pa.array((not is_masked(name) for name in names), pa.bool_())
    if pc.any(pc.invert(readable)).as_py():
        named = named.filter(readable)
        names = pc.fill_null(named["name_norm"], "").to_pylist()
    owner = np.searchsorted(numbers, ints(named["company_id"])).astype(np.int32)
    kind = ints(pc.index_in(named["kind"], value_set=pa.array(KINDS))).astype(np.int8)
    # Names first: sorting their pairs is the peak, and goes before the lists of companies are there.
    by_name = _names(names, owner, kind)
    del named, names
    return by_name | _companies(listed, numbers)


def _companies(listed: pa.Table, numbers: npt.NDArray[np.int64]) -> Arrays:
    codes = np.array([code or "" for code in listed["uscc"].to_pylist()], dtype="S18")
    position = np.arange(len(codes), dtype=np.int32)
    coded = position[np.array([len(code) == 18 for code in codes.tolist()], dtype=np.bool_)]
    organisation = np.array([code[8:17] for code in codes[coded].tolist()], dtype="S9")
    by_code, by_organisation = np.argsort(codes[coded]), np.argsort(organisation)
    region = [int(code) if code and code.isdigit() else 0 for code in listed["region_code"].to_pylist()]
    phones = [comparable_phone(phone or "") for phone in listed["phone"].to_pylist()]
    out: Arrays = {
        "company_id": numbers,
        "uscc": codes,
        "uscc_sorted": codes[coded][by_code],
        "uscc_company": coded[by_code],
        "organisation_sorted": organisation[by_organisation],
        "organisation_company": coded[by_organisation],
        "region": np.array(region, dtype=np.int32),
    }
    facts: dict[str, list[Any]] = {
        "person": text(listed, "legal_representative").to_pylist(),
        "phone": phones,
    }
    facts |= {"address": text(listed, "address").to_pylist(), "title": whole(listed["name"]).to_pylist()}
    for name, values in facts.items():
        out[f"{name}_blob"], out[f"{name}_start"] = pack(values)
    return out


def _names(names: Sequence[str], owner: npt.NDArray[np.int32], kind: npt.NDArray[np.int8]) -> Arrays:
    texts, core_hash = _taken_apart(names)
    whole_hash = hash_texts(names)
    by_name, by_core = np.argsort(whole_hash, kind="stable"), np.argsort(core_hash, kind="stable")
    blob, starts = pack(names)
    return {
        "entry_company": owner,
        "entry_kind": kind,
        "name_blob": blob,
        "name_start": starts,
        "name_hash": whole_hash[by_name],
        "name_hash_entry": by_name.astype(np.int32),
        "core_hash": core_hash[by_core],
        "core_hash_entry": by_core.astype(np.int32),
        **_postings(texts),
    }


def _taken_apart(names: Sequence[str]) -> tuple[list[str], npt.NDArray[np.uint64]]:
    """Return the index text and the hash of the core of each name; the parts of a chunk are dropped with it."""
    texts: list[str] = []
    hashes = [np.zeros(0, np.uint64)]
    for start in range(0, len(names), _AT_ONCE):
        chunk = names[start : start + _AT_ONCE]
        parts = [parse_name(name) for name in chunk]
        texts += [index_text(name, part) for name, part in zip(chunk, parts, strict=True)]
        hashes.append(hash_texts(part.core for part in parts))
    return texts, np.concatenate(hashes)


def _all_pairs(
    texts: Sequence[str],
) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """Return what ``pairs_of`` does, sorted by pair; texts are worked on by chunks, as sorting needs much room."""
    found = [pairs_of(texts[start : start + _AT_ONCE]) for start in range(0, max(len(texts), 1), _AT_ONCE)]
    gram = np.concatenate([part[0] for part in found])
    doc = np.concatenate([part[1] + np.int32(at * _AT_ONCE) for at, part in enumerate(found)])
    distance = np.concatenate([part[2] for part in found])
    del found
    order = np.argsort(gram, kind="stable")
    return gram[order], doc[order], distance[order]


def _postings(texts: Sequence[str]) -> Arrays:
    gram, doc, distance = _all_pairs(texts)
    fresh = np.flatnonzero(np.r_[True, gram[1:] != gram[:-1]]) if len(gram) else np.zeros(0, np.int64)
    start = np.r_[fresh, len(gram)].astype(np.int64)
    frequency = np.diff(start)
    idf = np.log1p(len(texts) / np.maximum(frequency, 1)).astype(np.float32)
    weight = np.repeat(idf, frequency) * np.array(FACTORS, np.float32)[distance]
    norm = np.sqrt(np.bincount(doc, weights=weight.astype(np.float64) ** 2, minlength=len(texts)))
    return {
        "gram": gram[fresh] if len(gram) else gram,
        "gram_start": start,
        "gram_idf": idf,
        "posting_doc": doc,
        "posting_distance": distance,
        "doc_norm": np.maximum(norm, 1e-6).astype(np.float32),
    }


def check_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    """Raise ``KeyError`` naming what an index lacks."""
    missing = {"company_id", "uscc_sorted", "name_hash", "gram", "posting_doc", "doc_norm"} - set(arrays)
    if missing:
        raise KeyError(f"match index lacks {sorted(missing)}")
