"""Which registered company each row of a customer list is: candidates, comparison, and one of four outcomes.

Reads customer rows and a match index; gives rows of customer_matches. Matched: one fact at or above the threshold.
Verified: the name and a second independent fact (code, address, person, phone) agree. A code that contradicts the name
never wins alone; what is doubtful waits for a person as ambiguous; nothing is picked in silence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa

from qiaomen.registry.arrays import text
from qiaomen.registry.clusters import names_agree
from qiaomen.registry.compare import (
    FEATURES,
    NAME_FEATURES,
    MatchModel,
    Overlap,
    Side,
    load_match_model,
    name_features,
    none_features,
    probabilities,
    side_of,
)
from qiaomen.registry.lookup import Matcher
from qiaomen.registry.names import normalise_name
from qiaomen.registry.queries import Query, digits_of, make_query
from qiaomen.registry.suspects import comparable_address
from qiaomen.vocab import MatchOutcome, normalise_code

SHOWN: Final = 10
_BATCH: Final = 2000
_CODE_FEATURES: Final = ("code_agrees", "code_repaired", "code_conflicts")
_NAME_COUNT: Final = len(NAME_FEATURES)
_NAME_ENOUGH: Final = 0.5
_CONTRADICTED_NAME: Final = 0.99
_SUBSEQUENCE: Final = NAME_FEATURES.index("subsequence")
_SHORT_ENOUGH: Final = 0.9
_RIVAL: Final = 0.02


@dataclass
class Candidate:
    """One company considered for a row, with what agreed and what contradicted."""

    company: int
    features: list[float]
    relation: str
    name_probability: float = 0.0
    probability: float = 0.0
    agrees: list[str] = field(default_factory=list)
    conflicts: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Verdict:
    outcome: MatchOutcome
    rule: str
    chosen: Candidate | None


def match_customers(
    customer_records: pa.Table,
    matcher: Matcher,
    decisions: pa.Table | None = None,
    overlay: Path | None = None,
) -> pa.Table:
    """Match every row of customer_records.

    Returns the columns of customer_matches. ``decisions`` are earlier choices of people with columns name_norm, code
    (normalised, empty if none), company_id (null: none of them), relation and decided_by; they win.
    """
    model = load_match_model(overlay)
    decided = _decisions(decisions)
    rows = []
    for batch in _batches(customer_records):
        queries = [make_query(row) for row in batch]
        for row, query, candidates in zip(
            batch, queries, candidates_of(queries, matcher, model), strict=True
        ):
            rows.append(_match_row(row, query, candidates, matcher, model, decided))
    return pa.Table.from_pylist(rows, schema=_SCHEMA) if rows else _SCHEMA.empty_table()


_SCHEMA: Final = pa.schema(
    [
        ("source", pa.string()),
        ("record_key", pa.string()),
        ("customer_no", pa.string()),
        ("name", pa.string()),
        ("company_id", pa.int64()),
        ("outcome", pa.string()),
        ("relation", pa.string()),
        ("probability", pa.float64()),
        ("rule", pa.string()),
        ("evidence", pa.string()),
        ("candidates", pa.string()),
        ("decided_by", pa.string()),
    ]
)
_WANTED: Final = (
    "source",
    "record_key",
    "customer_no",
    "name",
    "uscc_text",
    "address",
    "phone",
    "legal_representative",
)


def _batches(records: pa.Table) -> Iterator[list[dict[str, Any]]]:
    present = [name for name in _WANTED if name in records.column_names]
    chosen = pa.table({name: text(records, name) for name in present})
    for start in range(0, chosen.num_rows, _BATCH):
        yield chosen.slice(start, _BATCH).to_pylist()


def candidates_of(queries: Sequence[Query], matcher: Matcher, model: MatchModel) -> list[list[Candidate]]:
    """Return for each query its candidates with probabilities, best first."""
    own = [query.side.text for query in queries]
    branches = [index for index, query in enumerate(queries) if query.is_branch]
    parents = [side_of(queries[index].side.parts.parent) for index in branches]
    near = matcher.nearest(own + [parent.text for parent in parents])
    out = []
    for index, query in enumerate(queries):
        out.append(_by_company(query.side, "self", near[index], {}, matcher))
    for place, index in enumerate(branches):
        out[index] = _by_company(parents[place], "branch", near[len(own) + place], out[index], matcher)
    return [
        _ranked(query, _with_codes(query, found, matcher), matcher, model)
        for query, found in zip(queries, out, strict=True)
    ]


def _by_company(
    mine: Side, relation: str, near: Mapping[int, Overlap], known: dict[int, Candidate], matcher: Matcher
) -> dict[int, Candidate]:
    """Return the best comparison per company; an equal whole name beats the same name as a branch's parent."""
    equal = [entry for entry in matcher.exact(mine) if entry not in near]
    overlaps = dict(near) | dict(zip(equal, matcher.overlaps(mine.text, equal), strict=True))
    for entry, overlap in overlaps.items():
        company, kind = matcher.owner(entry)
        features = name_features(mine, side_of(matcher.name(entry)), kind, overlap)
        held = known.get(company)
        if held is None or _rank(features) > _rank(held.features):
            known[company] = Candidate(company, features, relation)
    return known


def _rank(features: Sequence[float]) -> tuple[float, float, float]:
    return features[0], features[1] + features[2], features[3] + features[4]


def _with_codes(query: Query, found: dict[int, Candidate], matcher: Matcher) -> dict[int, Candidate]:
    for company in matcher.by_code(query.code, query.repairs, query.organisation):
        if company not in found:
            mine = side_of(query.side.parts.parent) if query.is_branch else query.side
            entries = matcher.entries_of(company)
            near = dict(zip(entries, matcher.overlaps(mine.text, entries), strict=True))
            features = [
                name_features(mine, side_of(matcher.name(entry)), matcher.owner(entry)[1], overlap)
                for entry, overlap in near.items()
            ]
            found[company] = Candidate(
                company, max(features, key=_rank), "branch" if query.is_branch else "self"
            )
    return found


def _ranked(
    query: Query, found: dict[int, Candidate], matcher: Matcher, model: MatchModel
) -> list[Candidate]:
    candidates = list(found.values())
    if not candidates:
        return []
    for candidate in candidates:
        candidate.features = candidate.features + _fact_features(query, candidate, matcher)
    values = np.array([candidate.features for candidate in candidates])
    scores = values @ model.weights
    by_name = values[:, :_NAME_COUNT] @ model.weights[:_NAME_COUNT]
    none = float(np.dot(none_features(query.side), model.none))
    together, alone = probabilities(scores, none), probabilities(by_name, none)
    for candidate, both, name in zip(candidates, together.tolist(), alone.tolist(), strict=True):
        candidate.probability, candidate.name_probability = both, name
    return sorted(candidates, key=lambda item: (-item.probability, item.company))


def _fact_features(query: Query, candidate: Candidate, matcher: Matcher) -> list[float]:
    """Return the values of the facts beside the name and note in words what agrees and what contradicts."""
    company, branch = candidate.company, candidate.relation == "branch"
    values = dict.fromkeys(FEATURES[_NAME_COUNT:], 0.0)
    theirs = matcher.uscc(company)
    if theirs:
        _compare_codes(query, theirs, branch, values)
    values["phone_agrees"] = float(bool(query.phone) and query.phone == matcher.fact("phone", company))
    person = normalise_name(matcher.fact("person", company)) if query.person else ""
    if person:
        values["person_agrees" if person == query.person else "person_conflicts"] = float(not branch)
    if query.address:
        other = matcher.fact("address", company)
        # Equal addresses have equal digits; taking every candidate's address apart would cost most of the time.
        same = digits_of(other) == query.digits and comparable_address(other) == query.address
        values["address_agrees"] = float(same)
    _compare_places(query, matcher.region(company), branch, values)
    for name, value in values.items():
        if value:
            fact, _, verdict = name.rpartition("_")
            (candidate.conflicts if verdict == "conflicts" else candidate.agrees).append(fact)
    return list(values.values())


def _compare_codes(query: Query, theirs: str, branch: bool, values: dict[str, float]) -> None:
    if query.code == theirs or (query.organisation and query.organisation == theirs[8:17]):
        values["code_agrees"] = 1.0
    elif theirs in query.repairs:
        values["code_repaired"] = 1.0
    elif (query.code or query.organisation) and not branch:
        values["code_conflicts"] = 1.0


def _compare_places(query: Query, region: str, branch: bool, values: dict[str, float]) -> None:
    if not query.region or not region or branch:
        return
    shared = min(len(query.region.rstrip("0")), len(region.rstrip("0")), 6)
    equal = query.region[:shared] == region[:shared]
    if not equal and query.region[:4] != region[:4]:
        values["place_conflicts"] = 1.0
    elif equal and shared >= 4:
        values["place_agrees"] = 1.0


def _decide(query: Query, candidates: Sequence[Candidate], matcher: Matcher, model: MatchModel) -> _Verdict:
    if not candidates:
        return _Verdict(MatchOutcome.UNMATCHED, "no_candidate", None)
    best = candidates[0]
    coded = bool({"code"} & set(best.agrees))
    second = coded or bool({"phone", "person", "address"} & set(best.agrees))
    name_fits = best.name_probability >= _NAME_ENOUGH or _names_fit(query, best, matcher)
    strong = best.probability >= model.automatic
    if (
        second
        and name_fits
        and best.probability >= model.verified
        and not ({"code", "person"} & set(best.conflicts))
    ):
        return _Verdict(MatchOutcome.VERIFIED, "name_and_" + ("code" if coded else "fact"), best)
    exact = best.features[0] == 1.0 and bool(query.side.parts.form)
    if "code" in best.conflicts:
        if (
            exact
            and best.name_probability >= _CONTRADICTED_NAME
            and not matcher.by_code(query.code, (), query.organisation)
        ):
            return _Verdict(MatchOutcome.MATCHED, "exact_name_against_unknown_code", best)
        return _Verdict(MatchOutcome.AMBIGUOUS, "code_contradicts_name", best)
    if strong and not coded and best.name_probability >= model.automatic:
        return _Verdict(MatchOutcome.MATCHED, "name", best)
    if exact and not coded and best.name_probability >= _NAME_ENOUGH and not _twin(candidates):
        return _Verdict(MatchOutcome.MATCHED, "exact_name", best)
    if not coded and _short_form(query, candidates):
        return _Verdict(MatchOutcome.MATCHED, "short_form", best)
    if best.probability >= model.doubtful or coded:
        return _Verdict(
            MatchOutcome.AMBIGUOUS, "code_without_name" if coded and not name_fits else "doubtful", best
        )
    return _Verdict(MatchOutcome.UNMATCHED, "below_threshold", None)


def _short_form(query: Query, candidates: Sequence[Candidate]) -> bool:
    """Return whether a name without legal form stands in order within one company's name and no other comes near."""
    best = candidates[0]
    rival = candidates[1].name_probability if len(candidates) > 1 else 0.0
    inside = best.features[_SUBSEQUENCE] == 1.0 and not query.side.parts.form
    return inside and best.name_probability >= _SHORT_ENOUGH and rival <= _RIVAL


def _twin(candidates: Sequence[Candidate]) -> bool:
    """Return whether a second company has exactly the same name."""
    return sum(candidate.features[0] == 1.0 for candidate in candidates) > 1


def _names_fit(query: Query, best: Candidate, matcher: Matcher) -> bool:
    mine = query.side.parts.parent if best.relation == "branch" else query.name
    return bool(mine) and any(
        names_agree(mine, matcher.name(entry)) for entry in matcher.entries_of(best.company)
    )


def _decisions(decisions: pa.Table | None) -> dict[tuple[str, str], dict[str, Any]]:
    if decisions is None:
        return {}
    return {(row["name_norm"], row["code"] or ""): row for row in decisions.to_pylist()}


def _match_row(
    row: dict[str, Any],
    query: Query,
    candidates: list[Candidate],
    matcher: Matcher,
    model: MatchModel,
    decided: dict[tuple[str, str], dict[str, Any]],
) -> dict[str, Any]:
    code = normalise_code(row.get("uscc_text") or "")
    out = {name: row.get(name) for name in ("source", "record_key", "customer_no", "name")}
    out["candidates"] = _candidates_json(candidates, matcher)
    choice = decided.get((normalise_name(row.get("name") or ""), code))
    if choice is not None:
        chosen = choice["company_id"]
        outcome = MatchOutcome.UNMATCHED if chosen is None else MatchOutcome.VERIFIED
        return out | {
            "company_id": chosen,
            "outcome": outcome.value,
            "relation": choice.get("relation") or "self",
            "probability": 1.0,
            "rule": "decision",
            "evidence": json.dumps({"decision": choice.get("decided_by")}, ensure_ascii=False),
            "decided_by": choice.get("decided_by"),
        }
    verdict = _decide(query, candidates, matcher, model)
    automatic = verdict.outcome in {MatchOutcome.MATCHED, MatchOutcome.VERIFIED}
    chosen = verdict.chosen
    return out | {
        "company_id": matcher.company_id(chosen.company) if automatic and chosen else None,
        "outcome": verdict.outcome.value,
        "relation": chosen.relation if automatic and chosen else "self",
        "probability": round(candidates[0].probability, 6) if candidates else 0.0,
        "rule": verdict.rule,
        "evidence": json.dumps(_evidence(query, chosen, model), ensure_ascii=False),
        "decided_by": model.version,
    }


def _evidence(query: Query, chosen: Candidate | None, model: MatchModel) -> dict[str, Any]:
    found: dict[str, Any] = {"name": query.name, "model": model.version}
    if query.is_branch:
        found["parent"] = query.side.parts.parent
    if chosen is not None:
        found |= {
            "agrees": chosen.agrees,
            "conflicts": chosen.conflicts,
            "name_probability": round(chosen.name_probability, 4),
        }
    return found


def _candidates_json(candidates: Sequence[Candidate], matcher: Matcher) -> str:
    shown = [
        {
            "company_id": matcher.company_id(item.company),
            "name": matcher.fact("title", item.company),
            "uscc": matcher.uscc(item.company) or None,
            "probability": round(item.probability, 4),
            "evidence": {"agrees": item.agrees, "conflicts": item.conflicts, "relation": item.relation},
        }
        for item in candidates[:SHOWN]
    ]
    return json.dumps(shown, ensure_ascii=False)
