"""Parks and who is in them."""

from qiaomen.parks.tables import PARK_RECORDS, PARK_RESIDENT_RECORDS, PARK_RESIDENTS, PARKS

__all__ = ["PARKS", "PARK_RECORDS", "PARK_RESIDENTS", "PARK_RESIDENT_RECORDS"]
