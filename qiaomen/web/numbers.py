"""Numbers that a caller may send: what the stores can hold, so that a larger one is refused in words."""

from __future__ import annotations

from typing import Annotated, Final

from annotated_types import Ge, Le

LARGEST: Final = 2**63 - 1
# The number of a row: a task, a company, a request.
RowNumber = Annotated[int, Ge(0), Le(LARGEST)]
# How many rows to pass over, or the version of a row.
Count = Annotated[int, Ge(0), Le(2**31 - 1)]
