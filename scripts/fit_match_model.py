"""Fits the weights of the match model and writes the catalogue ``match_model.csv``.

Usage: ``python scripts/fit_match_model.py FOLDER`` where FOLDER holds ``registry.parquet`` (rid, name, uscc),
``customers.parquet`` (cid, name, uscc, truth) and ``former_names.parquet`` (rid, old).

Rows with an even cid are fitted on, beside as many rows made dirty by ``benchmarks/dirt.py`` (seed 7) from registry
names that no customer row points to; rows with an odd cid are never looked at here. The threshold for an automatic
outcome is set on the even rows alone. Names are fitted first without
codes, then the weight of codes with the name weights held. Phones, persons and addresses do not occur in the folder:
their weights are set by hand and say so.
"""

from __future__ import annotations

import csv
import random
import sys
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from scipy.optimize import minimize

sys.path.insert(0, str(Path(__file__).parent.parent))

from benchmarks.dirt import dirty
from benchmarks.matching import registry_tables
from qiaomen.registry.compare import (
    FACT_FEATURES,
    FEATURES,
    NAME_FEATURES,
    NONE_FEATURES,
    MatchModel,
    none_features,
)
from qiaomen.registry.lookup import Matcher
from qiaomen.registry.match_index import build_match_index
from qiaomen.registry.matching import candidates_of
from qiaomen.registry.queries import make_query

TARGET: Final = Path(__file__).parent.parent / "qiaomen" / "catalog" / "data" / "match_model.csv"
BY_HAND: Final = {
    "phone_agrees": 3.5,
    "person_agrees": 3.5,
    "person_conflicts": -1.5,
    "address_agrees": 3.0,
    "place_agrees": 0.7,
    "place_conflicts": -1.5,
}
PRECISION: Final = 0.9935
Case = tuple[np.ndarray, np.ndarray, int]


def cases(rows: list[dict[str, Any]], truths: list[int], matcher: Matcher) -> list[Case]:
    """Return (features of candidates, features of none, row of the true candidate or -1) for each row."""
    flat = MatchModel(np.zeros(len(FEATURES)), np.zeros(len(NONE_FEATURES)), 1.0, 1.0, 0.0, "flat")
    queries = [make_query(row) for row in rows]
    out = []
    for query, truth, found in zip(queries, truths, candidates_of(queries, matcher, flat), strict=True):
        values = np.array([item.features for item in found]).reshape(-1, len(FEATURES))
        ids = [matcher.company_id(item.company) for item in found]
        out.append((values, np.array(none_features(query.side)), ids.index(truth) if truth in ids else -1))
    return out


def loss(
    weights: np.ndarray, offsets: list[np.ndarray], data: list[Case], columns: list[int]
) -> tuple[float, np.ndarray]:
    """Return the negative log likelihood of the truths and its gradient, with a small ridge."""
    width = len(columns)
    total, gradient = 0.01 * float(weights @ weights), 0.02 * weights
    for (values, none, truth), offset in zip(data, offsets, strict=True):
        chosen = values[:, columns]
        scores = np.r_[chosen @ weights[:width] + offset[:-1], none @ weights[width:] + offset[-1]]
        scores -= scores.max()
        odds = np.exp(scores)
        odds /= odds.sum()
        total -= float(np.log(max(odds[truth], 1e-12)))
        gradient[:width] += chosen.T @ odds[:-1] - (chosen[truth] if truth >= 0 else 0)
        gradient[width:] += none * (odds[-1] - (truth < 0))
    return total, gradient


def fit(data: list[Case], columns: list[int], offsets: list[np.ndarray]) -> np.ndarray:
    """Return the weights of the columns and of none."""
    start = np.zeros(len(columns) + len(NONE_FEATURES))
    return np.asarray(minimize(loss, start, (offsets, data, columns), jac=True, method="L-BFGS-B").x)


def threshold(data: list[Case], weights: np.ndarray, none: np.ndarray, columns: list[int]) -> float:
    """Return the lowest probability from which the best candidate by name is right often enough."""
    best = []
    for values, zero, truth in data:
        scores = np.r_[values[:, columns] @ weights, zero @ none]
        odds = np.exp(scores - scores.max())
        odds /= odds.sum()
        if len(values):
            first = int(np.argmax(odds[:-1]))
            best.append((float(odds[first]), first == truth))
    best.sort(reverse=True)
    right = np.cumsum([hit for _, hit in best])
    enough = np.flatnonzero(right / np.arange(1, len(best) + 1) >= PRECISION)
    return round(best[int(enough[-1])][0], 4) if len(enough) else 0.999


def main() -> None:
    """Fit and write the catalogue."""
    folder = Path(sys.argv[1])
    customers = pq.read_table(folder / "customers.parquet").to_pylist()
    companies, names = registry_tables(folder)
    matcher = Matcher.open(build_match_index(companies, names))
    taken = {row["truth"] for row in customers}
    half = [row for row in customers if row["cid"] % 2 == 0]
    rows = [{"name": row["name"], "uscc_text": row["uscc"]} for row in half]
    truths = [row["truth"] for row in half]
    draw = random.Random(7)
    listed = dict(zip(companies["company_id"].to_pylist(), companies["name"].to_pylist(), strict=True))
    free = draw.sample([number for number in listed if number not in taken], len(half))
    made = [dirty(listed[i], draw) for i in free]
    rows += [{"name": name} for name, _ in made]
    truths += free
    data = cases(rows, truths, matcher)
    for i in range(len(half), len(data)):
        if draw.random() < 0.15:
            values, none, truth = data[i]
            data[i] = (np.delete(values, truth, axis=0) if truth >= 0 else values, none, -1)
    named = list(range(len(NAME_FEATURES)))
    coded = [FEATURES.index(name) for name in FACT_FEATURES if name.startswith("code")]
    by_name = fit(data, named, [np.zeros(len(values) + 1) for values, _, _ in data])
    weights, none = by_name[: len(named)], by_name[len(named) :]
    offsets = [np.r_[values[:, named] @ weights, zero @ none] for values, zero, _ in data]
    by_code = fit(data, coded, offsets)[: len(coded)]
    limit = threshold(data[: len(half)], weights, none, named)
    write(
        dict(zip(NAME_FEATURES, weights, strict=True)),
        dict(zip((FEATURES[i] for i in coded), by_code, strict=True)),
        none,
        limit,
    )


def write(names: dict[str, float], codes: dict[str, float], none: np.ndarray, limit: float) -> None:
    """Write the catalogue."""
    with TARGET.open("w", encoding="utf-8", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["code", "weight", "doc"])
        out.writerow(["version", 1, "version of the weights"])
        out.writerow(
            [
                "threshold_automatic",
                limit,
                f"lowest probability by name with precision {PRECISION} on the fitted half",
            ]
        )
        out.writerow(
            [
                "threshold_verified",
                0.9,
                "set by hand: probability that suffices where the name and a second fact agree",
            ]
        )
        out.writerow(["threshold_doubtful", 0.05, "probability from which a row waits for a person"])
        out.writerows([name, round(value, 4), "fitted, name"] for name, value in names.items())
        out.writerows([name, round(value, 4), "fitted, code"] for name, value in codes.items())
        out.writerows(
            [name, round(value, 4), "fitted, none of the candidates"]
            for name, value in zip(NONE_FEATURES, none, strict=True)
        )
        out.writerows([name, value, "set by hand"] for name, value in BY_HAND.items())


if __name__ == "__main__":
    main()
