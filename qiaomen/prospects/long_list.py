"""The long list: prospects that the recipes find, ranked, each with its reason and a possible introducer.

Writes ``long_list``. The same input gives the same list: every order ends with the company's number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

from qiaomen.prospects.candidates import CANDIDATE_COLUMNS, find_candidates
from qiaomen.prospects.introducers import find_introducers
from qiaomen.prospects.recipes import IntroducerLink, Recipe
from qiaomen.prospects.sources import Keep, LongListTables, in_regions, open_prospects
from qiaomen.prospects.tables import LONG_LIST
from qiaomen.store import portable
from qiaomen.vocab import CatalogInvalid

if TYPE_CHECKING:
    import ibis.expr.types as ir


@dataclass(frozen=True, slots=True)
class LongList:
    """``rows`` (LONG_LIST) and ``counts`` (recipe, found, over_seed, over_limit, listed), both lazy."""

    rows: ir.Table
    counts: ir.Table


def build_long_list(
    recipes: Sequence[Recipe],
    tables: LongListTables,
    as_of: date,
    *,
    links: Mapping[str, IntroducerLink],
    keep: Keep = lambda table: table,
) -> LongList:
    """Return live registered non-customers that the recipes find, one row per company and recipe.

    ``keep`` may compute an expression once (``Engine.keep``).
    """
    if not recipes:
        raise CatalogInvalid("没有任何拓客配方", where="recipes", remedy="至少登记一个配方")
    prospects = keep(open_prospects(tables))
    placed = [keep(_placed(find_candidates(tables, recipe), prospects, recipe)) for recipe in recipes]
    whole = placed[0]
    for more in placed[1:]:
        whole = whole.union(more)
    listed = whole.filter(whole.listed)
    introduced = find_introducers(tables, listed.select(prospect_id="company_id"), links, as_of)
    rows = listed.left_join(introduced, listed.company_id == introduced.prospect_id)
    counts = whole.group_by("recipe").agg(
        found=whole.company_id.count().cast("int64"),
        over_seed=whole.over_seed.cast("int64").sum().cast("int64"),
        over_limit=(~whole.over_seed & ~whole.listed).cast("int64").sum().cast("int64"),
        listed=whole.listed.cast("int64").sum().cast("int64"),
    )
    return LongList(rows.select(*LONG_LIST.names), counts)


def _placed(candidates: ir.Table, prospects: ir.Table, recipe: Recipe) -> ir.Table:
    """Keep each prospect's strongest find, then mark what exceeds the limits per seed and per recipe."""
    import ibis

    able = in_regions(prospects, recipe).select(able_id="company_id")
    open_ones = candidates.semi_join(able, candidates.company_id == able.able_id)
    open_ones = open_ones.mutate(
        strength=portable.round_half_up(ibis.least(ibis.greatest(open_ones.strength, 0.0), 1.0), 6)
    )
    best = portable.newest(
        open_ones, ["company_id"], ["strength"], ["seed_id", "park_code", "node_code", "reason"]
    ).select(*CANDIDATE_COLUMNS)
    order = [best.strength.desc(), best.company_id.asc()]
    seed = ibis.coalesce(best.seed_id.cast("string"), best.park_code, best.node_code, "")
    seeded = best.mutate(seed=seed, place=ibis.row_number().over(group_by=seed, order_by=order))
    capped = seeded.mutate(over_seed=seeded.place >= recipe.per_seed)
    ranked = capped.mutate(
        rank=(
            ibis.row_number().over(
                group_by="over_seed", order_by=[capped.strength.desc(), capped.company_id.asc()]
            )
            + 1
        ).cast("int64")
    )
    return ranked.mutate(
        recipe=ibis.literal(recipe.code), listed=~ranked.over_seed & (ranked["rank"] <= recipe.limit)
    ).drop("seed", "place")
