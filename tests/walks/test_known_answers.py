"""What the program finds in the made-up city, against what was planted there."""

from __future__ import annotations

from collections import defaultdict

import numpy as np
import numpy.typing as npt
import pytest

from qiaomen import graph, reach
from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES
from qiaomen.customers import CUSTOMER_MATCHES, CUSTOMERS
from qiaomen.mining import FINDINGS
from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
from qiaomen.scoring import SCORES
from qiaomen.supply import SUPPLY_PAIRS
from tests.walks.city import Demo

pytestmark = pytest.mark.xdist_group("walks")
Floats = npt.NDArray[np.float64]
LEARNED = "kqd_resp"


def test_customers_are_matched_to_their_companies(city: Demo) -> None:
    number = city.companies()
    found = {row["customer_no"]: row for row in city.rows(CUSTOMER_MATCHES)}
    truth = {row["customer_no"]: number.get(row["uscc"]) for row in city.answers("matches.csv")}
    assert set(found) == set(truth)
    automatic = [no for no, row in found.items() if row["outcome"] in {"matched", "verified"}]
    right = [no for no in automatic if found[no]["company_id"] == truth[no]]
    assert len(right) >= 0.985 * len(automatic)
    assert len(right) >= 0.96 * sum(company is not None for company in truth.values())
    absent = [no for no, company in truth.items() if company is None]
    assert len(absent) >= 5
    assert not set(absent) & set(automatic)


def test_companies_sit_on_the_nodes_they_were_drawn_on(city: Demo) -> None:
    number = city.companies()
    places: dict[int, dict[str, float]] = defaultdict(dict)
    for row in city.rows(COMPANY_NODES):
        places[row["company_id"]][row["node_code"]] = row["confidence"]
    drawn = {number[row["uscc"]]: row["node_code"] for row in city.answers("nodes.csv")}
    found = [company for company, node in drawn.items() if node in places[company]]
    first = [c for c in found if places[c][drawn[c]] == max(places[c].values())]
    assert len(found) >= 0.99 * len(drawn)
    assert len(first) >= 0.98 * len(drawn)
    # What else was put on a node stays a small part.
    assert sum(len(nodes) for nodes in places.values()) <= 1.3 * len(drawn)


def test_planted_ways_come_first(city: Demo) -> None:
    snapshot, number = city.snapshot, city.companies()
    opened = graph.Graph.open(snapshot.arrays("graph"))
    reaching = reach.Reaching.open(opened, snapshot.arrays("reaching"))
    tables = (RELATIONS, SUPPLY_PAIRS, COMPANY_NODES, COMPANY_GOODS)
    statements = reach.Statements(
        snapshot.arrow(COMPANIES),
        snapshot.arrow(PERSONS),
        {table.name: snapshot.arrow(table) for table in tables},
    )
    persons = {row["person_ref"].rpartition(":")[2]: row["person_id"] for row in city.rows(PERSONS)}
    customers = {row["company_id"] for row in city.rows(CUSTOMERS)}
    planted = city.answers("paths.csv")
    assert len(planted) >= 6
    for row in planted:
        prospect, customer = number[row["prospect_uscc"]], number[row["customer_uscc"]]
        assert customer in customers, "a customer who was matched"
        best = reach.find_paths(reaching, prospect, statements, k=3)[0]
        assert [node.id for node in best.nodes()] == [prospect, persons[row["person_no"]], customer]
        assert best.proven
        assert all(hop.kind == "office" and hop.evidence for hop in best.hops)


def test_texts_say_what_was_written_into_them(city: Demo) -> None:
    number = city.companies()
    kinds: dict[str, dict[str, float | None]] = defaultdict(dict)
    subject = {row["announcement_no"]: number[row["uscc"]] for row in city.answers("texts.csv")}
    for row in city.rows(FINDINGS):
        if row["detector"] == "text" and subject.get(row["record_key"]) == row["company_id"]:
            kinds[row["record_key"]][row["kind"]] = row["amount_cny"]
    right = wrong = events = amounts = amounts_right = 0
    for row in city.answers("texts.csv"):
        found, kind = kinds[row["announcement_no"]], row["kind"]
        right += kind in found
        wrong += len(set(found) - {kind})
        events += bool(kind)
        if kind in found and row["amount_cny"]:
            amounts += 1
            amounts_right += found[kind] == pytest.approx(float(row["amount_cny"]), rel=1e-4)
    assert right >= 0.96 * events
    assert right >= 0.9 * (right + wrong)
    assert amounts > 60
    assert amounts_right >= 0.98 * amounts


def _auc(scores: Floats, chance: Floats) -> float:
    """Return the expected AUC where ``chance`` is the true probability of each row; ties count half."""
    order = np.argsort(scores, kind="stable")
    value, place = np.unique(scores[order], return_inverse=True)
    yes = np.bincount(place, weights=chance[order], minlength=len(value))
    no = np.bincount(place, weights=1 - chance[order], minlength=len(value))
    before = np.cumsum(no) - no
    return float((yes * (before + no / 2)).sum() / (yes.sum() * no.sum()))


def test_the_learned_card_ranks_nearly_as_well_as_the_known_model(city: Demo) -> None:
    from scipy.stats import spearmanr

    number = city.companies()
    truth = {number[row["uscc"]]: float(row["probability"]) for row in city.answers("responses.csv")}
    rows = [row for row in city.rows(SCORES) if row["strategy"] == LEARNED]
    assert len(rows) > 400
    assert all(row["probability"] is not None for row in rows), "the card was learned"
    points = np.array([row["points"] for row in rows])
    chance = np.array([truth[row["company_id"]] for row in rows])
    said = np.array([row["probability"] for row in rows])
    best = _auc(chance, chance)
    assert best > 0.68
    assert _auc(points, chance) - 0.5 >= 0.7 * (best - 0.5)
    assert spearmanr(points, chance).statistic >= 0.7
    assert said.mean() == pytest.approx(chance.mean(), rel=0.15)
