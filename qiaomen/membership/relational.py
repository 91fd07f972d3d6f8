"""The same screening query as an Ibis expression over the tables, for engines and for proof."""

from __future__ import annotations

import datetime as dt
from functools import reduce
from typing import TYPE_CHECKING, Any

from qiaomen.membership.expression import And, Compare, Everything, Expression, Known, Member, Not, fold
from qiaomen.membership.names import Names

if TYPE_CHECKING:
    import ibis.expr.types as ir


def to_ibis(
    expression: Expression,
    memberships: ir.Table,
    facts: ir.Table,
    *,
    names: Names,
    as_of: dt.date | None = None,
) -> ir.Table:
    """Return a table of one column ``company_id``: the live companies for which the expression is true.

    ``names`` says what lies below a value; ``as_of`` must be the one the index was built with.
    """
    live = facts.select("company_id")
    current = memberships if as_of is None else memberships.filter(_in_force(memberships, as_of))

    def leaf(condition: Expression) -> Any:
        if isinstance(condition, Everything):
            return live
        if isinstance(condition, Member):
            return live.semi_join(_members(condition, current, names), "company_id")
        return facts.filter(_holds(condition, facts)).select("company_id")

    def combine(node: Expression, parts: list[Any]) -> Any:
        if isinstance(node, Not):
            return live.difference(parts[0])
        if isinstance(node, And):
            return reduce(lambda left, right: left.intersect(right), parts)
        return reduce(lambda left, right: left.union(right, distinct=True), parts)

    return fold(expression, leaf, combine)


def _in_force(memberships: Any, as_of: dt.date) -> Any:
    begun = (memberships.since <= as_of).fill_null(True)
    lasting = (memberships.until >= as_of).fill_null(True)
    return begun & lasting


def _members(member: Member, memberships: Any, names: Names) -> Any:
    rows = memberships.filter(memberships.dimension == member.dimension)
    if member.value is not None:
        wanted = (member.value,) if member.exactly else names.below(member.dimension, member.value)
        rows = rows.filter(rows.value.isin(wanted))
    return rows.select("company_id")


def _holds(condition: Expression, facts: Any) -> Any:
    if isinstance(condition, Known):
        return _present(facts[condition.field])
    if not isinstance(condition, Compare):
        raise TypeError(f"not a condition: {condition!r}")
    column, value = facts[condition.field], condition.value
    compared = {
        "=": column == value,
        "!=": column != value,
        "<": column < value,
        "<=": column <= value,
        ">": column > value,
        ">=": column >= value,
    }[condition.operator]
    return _present(column) & compared.fill_null(False)


def _present(column: Any) -> Any:
    """A stored NaN is a missing value, whatever an engine says of its order."""
    known = column.notnull()
    return known & ~column.isnan().fill_null(True) if column.type().is_floating() else known
