"""API: chains and parks, with the firms and customers that they hold."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from qiaomen.bank import Action
from qiaomen.chains import Count
from qiaomen.parks import PARKS, search_parks
from qiaomen.web.pages.chains import chain_counts, chain_rows, read_atlas, told_chain
from qiaomen.web.pages.parks import read_park, told_customers
from qiaomen.web.visit import Visit, api_visit
from qiaomen.web.withholding import least_group, told_atlas

router = APIRouter(tags=["chains and parks"])
RegionCode = Annotated[str, Query(pattern=r"^(\d{6})?$", description="division and what lies below it")]


class ChainItem(BaseModel):
    """One chain with its coverage over all regions; with ``below`` only the caller's own customers are counted."""

    chain_code: str
    chain_name: str
    sector: str | None
    plans: list[str]
    companies: int
    customers: int
    below: int | None = None


class ParkItem(BaseModel):
    """One park found by a search."""

    park_code: str
    name: str
    level: str | None
    region_code: str | None
    trades: list[str]
    residents: int
    why: str


@router.get("/chains", summary="All chains with their coverage")
def list_chains(visit: Annotated[Visit, Depends(api_visit)]) -> list[ChainItem]:
    """Return all chains."""
    visit.require(Action.SEE_COMPANIES)
    counts = visit.reading.once(chain_counts)
    found = []
    for code, row in visit.reading.once(chain_rows).items():
        count = told_chain(visit.reading, code, row, counts.get(code, Count()), least_group(visit))
        found.append(
            ChainItem(
                chain_code=code,
                chain_name=row["chain_name"] or code,
                sector=row["sector"],
                plans=[plan for plan in (row["plans"] or "").split(";") if plan],
                companies=count.companies,
                customers=count.customers,
                below=count.below,
            )
        )
    return sorted(found, key=lambda item: (-item.companies, item.chain_code))


@router.get("/chains/{code}", summary="One chain: stages, nodes, gaps, links")
def read_chain(
    visit: Annotated[Visit, Depends(api_visit)], code: str, region: RegionCode = ""
) -> dict[str, Any]:
    """Return one chain in one region."""
    visit.require(Action.SEE_COMPANIES)
    return asdict(told_atlas(visit, visit.reading.once(read_atlas, code, region)))


@router.get("/parks", summary="Parks by trade and region")
def list_parks(
    visit: Annotated[Visit, Depends(api_visit)],
    q: Annotated[str, Query(max_length=100, description="trade, or words of the name")] = "",
    region: RegionCode = "",
) -> list[ParkItem]:
    """Return the parks that fit, best first."""
    visit.require(Action.SEE_COMPANIES)
    return [
        ParkItem.model_validate(asdict(hit))
        for hit in search_parks(visit.reading.table(PARKS), q, region or None)
    ]


@router.get("/parks/{code}", summary="One park: residents, chains, leading firms, penetration")
def show_park(visit: Annotated[Visit, Depends(api_visit)], code: str) -> dict[str, Any]:
    """Return one park."""
    visit.require(Action.SEE_COMPANIES)
    park = visit.reading.once(read_park, code)
    count = told_customers(visit, code, park.residents)
    return {
        **asdict(park),
        "customers": count.customers,
        "penetration": count.penetration,
        "below": count.below,
    }
