"""The one membership shape, the bitmap index, the screening language; knows no owner.

``build_index`` turns memberships and facts into arrays, ``Index`` answers queries from them, ``parse`` and
``from_json`` read queries, ``to_text`` and ``to_json`` write them, ``to_ibis`` gives the same query to an engine.
"""

from qiaomen.membership.build import build_index
from qiaomen.membership.expression import (
    And,
    Compare,
    Everything,
    Expression,
    Known,
    Member,
    Not,
    Or,
    WrongExpression,
    to_json,
    to_text,
)
from qiaomen.membership.grammar import from_json, parse
from qiaomen.membership.index import Facet, Index
from qiaomen.membership.names import DIMENSION_LABELS, Names
from qiaomen.membership.relational import to_ibis
from qiaomen.membership.seen import Hidden, SeenIndex
from qiaomen.membership.tables import MEMBERSHIP_NAMES, MEMBERSHIPS

__all__ = [
    "DIMENSION_LABELS",
    "MEMBERSHIPS",
    "MEMBERSHIP_NAMES",
    "And",
    "Compare",
    "Everything",
    "Expression",
    "Facet",
    "Hidden",
    "Index",
    "Known",
    "Member",
    "Names",
    "Not",
    "Or",
    "SeenIndex",
    "WrongExpression",
    "build_index",
    "from_json",
    "parse",
    "to_ibis",
    "to_json",
    "to_text",
]
