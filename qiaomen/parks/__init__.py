"""Parks and who is in them.

One run: ``build_parks`` → ``place_companies`` → ``park_memberships``. Pages: ``search_parks``, ``park_page``.
"""

from qiaomen.parks.build import Parks, build_parks
from qiaomen.parks.pages import (
    ChainShare,
    Leader,
    ParkHit,
    ParkPage,
    leading_firms,
    park_memberships,
    park_names,
    park_page,
    search_parks,
)
from qiaomen.parks.place import Placed, place_companies
from qiaomen.parks.tables import PARK_RECORDS, PARK_RESIDENT_RECORDS, PARK_RESIDENTS, PARKS

__all__ = [
    "PARKS",
    "PARK_RECORDS",
    "PARK_RESIDENTS",
    "PARK_RESIDENT_RECORDS",
    "ChainShare",
    "Leader",
    "ParkHit",
    "ParkPage",
    "Parks",
    "Placed",
    "build_parks",
    "leading_firms",
    "park_memberships",
    "park_names",
    "park_page",
    "place_companies",
    "search_parks",
]
