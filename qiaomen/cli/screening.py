"""``screen``: companies for which an expression is true, with what each condition rests on.

Reads the arrays ``membership_index`` and the tables companies, customers, tiers, reach and memberships.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from qiaomen.cli.opening import institution_words, of_generation, with_results
from qiaomen.cli.output import format_of, json_text, list_bytes, print_table, say, write_bytes
from qiaomen.vocab import TIER_LABELS, InputRejected

if TYPE_CHECKING:
    from qiaomen.bank import Viewer
    from qiaomen.jobs import Workspace
    from qiaomen.membership import Expression, Index, Member
    from qiaomen.store import Snapshot
    from qiaomen.vocab import Table

SHOWN: Final = 50
LARGEST: Final = 100_000
DEFAULT_SORT: Final = "-priority"
# Column of a row, its heading.
COLUMNS: Final[tuple[tuple[str, str], ...]] = (
    ("company_id", "企业编号"),
    ("uscc", "统一社会信用代码"),
    ("name", "名称"),
    ("region", "地区"),
    ("industry", "行业"),
    ("status", "登记状态"),
    ("founded_on", "成立日期"),
    ("capital_cny", "注册资本（元）"),
    ("employees", "参保人数"),
    ("revenue_cny", "营业收入（元）"),
    ("listed_on", "上市日期"),
    ("customer", "客户"),
    ("tier_label", "分层"),
    ("priority", "营销优先级"),
    ("response_index", "营销响应度指数"),
    ("product", "首推产品"),
    ("warmth", "触达温度"),
    ("hops", "触达跳数"),
)
ON_SCREEN: Final = (
    "company_id",
    "uscc",
    "name",
    "region",
    "capital_cny",
    "founded_on",
    "customer",
    "tier_label",
    "priority",
)
# Evidence that ends in a row of these tables is the bank's own knowledge of a customer.
OWN_BOOKS: Final = ("customers", "customer_records", "dealings", "cashflows", "outcomes")


@dataclass(frozen=True, slots=True)
class Screening:
    """An answered query: its canonical form, how many fit, and the rows listed in order."""

    expression: Expression
    total: int
    customers: int
    sort: str
    rows: list[dict[str, Any]]


def show_screen(
    workspace: Workspace,
    viewer: Viewer,
    text: str,
    form: str,
    out: Path | None,
    sort: str,
    limit: int | None,
) -> None:
    """Answer a screening query as a table, CSV, XLSX or one JSON document."""
    from qiaomen.bank import Action, require

    form = format_of(form, out)
    require(viewer, Action.SCREEN)
    if form in {"csv", "xlsx"} or out is not None:
        require(viewer, Action.EXPORT)
    if limit is None:
        limit = LARGEST if form in {"csv", "xlsx"} else SHOWN
    snapshot = with_results(workspace)
    found = screen(workspace, viewer, snapshot, text, sort, limit)
    if form == "table":
        _print(found)
        return
    if form == "json":
        data = json_text(document_of(snapshot, found)).encode()
    else:
        header = [heading for _, heading in COLUMNS] + ["依据"]
        rows = ([_cell(row[name]) for name, _ in COLUMNS] + [_evidence_text(row)] for row in found.rows)
        data = list_bytes(form, header, rows)
    exported = form != "json" or out is not None
    if exported:
        _note_export(workspace, viewer, form, found, snapshot.number, data)
    write_bytes(out, data)
    if exported:
        cut = f"（共 {found.total:,} 户，可用 --limit 调整）" if len(found.rows) < found.total else ""
        say(f"已导出 {len(found.rows):,} 户{cut}" + (f"：{out}" if out else ""))


def screen(
    workspace: Workspace, viewer: Viewer, snapshot: Snapshot, text: str, sort: str, limit: int
) -> Screening:
    """Return the companies for which the expression is true, in the order asked for."""
    from qiaomen.membership import And, Index, Member

    index = _seen_index(Index.open(snapshot.arrays("membership_index")), viewer, snapshot)
    expression = read_expression(index, text)
    selected = index.select(expression)
    field, descending = _order(index, sort)
    ids = index.page(selected, field, descending=descending, limit=limit)
    rows = _rows(workspace, viewer, snapshot, index, expression, ids)
    ours = index.count(And((expression, Member("customer")))) if len(selected) else 0
    return Screening(expression, len(selected), ours, sort, rows)


def _seen_index(index: Index, viewer: Viewer, snapshot: Snapshot) -> Index:
    """Return the index as the viewer may know it."""
    from qiaomen.bank import scope_of
    from qiaomen.customers import CUSTOMERS
    from qiaomen.opportunities import OPPORTUNITIES
    from qiaomen.reports import foreign_of, inside_kinds, inside_tags, seen_index
    from qiaomen.tags import COMPANY_TAGS

    scope = scope_of(viewer)
    if scope.whole_bank:
        return index
    return seen_index(
        index,
        foreign_of(scope, snapshot.arrow(CUSTOMERS)),
        inside_kinds(snapshot.arrow(OPPORTUNITIES)),
        inside_tags(snapshot.arrow(COMPANY_TAGS)),
    )


def read_expression(index: Index, text: str) -> Expression:
    """Read a query as text or, where it begins with a brace, as JSON; a wrong one is shown with the place marked."""
    from qiaomen.membership import WrongExpression, from_json, parse

    try:
        if text.lstrip().startswith("{"):
            return from_json(_json(text), index.names)
        return parse(text, index.names)
    except WrongExpression as error:
        if not text.lstrip().startswith("{"):
            line = text.replace("\n", " ")
            say(f"  {line}\n  {' ' * _width(line[: error.position])}^")
        raise


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputRejected(f"条件的 JSON 无法读取：{error}", remedy="写法见 docs/screening.md") from error


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def _order(index: Index, sort: str) -> tuple[str | None, bool]:
    field, descending = sort.removeprefix("-").removeprefix("+"), sort.startswith("-")
    if field in {"", "company_id"}:
        return None, descending
    if field not in index.names.fields and sort == DEFAULT_SORT:
        return None, False
    return field, descending


def _rows(
    workspace: Workspace,
    viewer: Viewer,
    snapshot: Snapshot,
    index: Index,
    expression: Expression,
    ids: list[int],
) -> list[dict[str, Any]]:
    from qiaomen.bank import scope_of
    from qiaomen.opportunities import load_kinds
    from qiaomen.reports import FROM_CUSTOMERS
    from qiaomen.scoring import load_products

    products = {product.code: product.name_zh for product in load_products(workspace.overlay).values()}
    in_bank = {kind.code for kind in load_kinds(workspace.overlay).values() if "in_bank" in kind.detectors}
    institutions, scope = institution_words(workspace), scope_of(viewer)
    with workspace.engine() as engine:
        facts = _facts(engine, snapshot, ids)
        evidence = _evidence(engine, snapshot, index, expression, ids)
    for item in (item for items in evidence.values() for item in items if item["dimension"] == "customer"):
        item["label"] = institutions.get(item["value"], item["label"])
    rows = []
    for number in ids:
        row = facts[number]
        institution, manager = row.pop("institution_code"), row.pop("manager_no")
        inside = not row["is_customer"] or scope.covers(institution, manager)
        # In a list another unit's customer is a company like any other; its own page says whose it is.
        row["is_customer"] = bool(row["is_customer"]) and inside
        name = institutions.get(institution or "")
        row["customer"] = f"{name or institution or '本行'}客户" if row["is_customer"] else None
        if not inside:
            row |= dict.fromkeys(FROM_CUSTOMERS)
        row["region"] = _label(index, "region", row["region_code"])
        row["industry"] = row["industry"] or _label(index, "industry", row["industry_code"])
        row["tier_label"] = TIER_LABELS.get(row["tier"] or "")
        row["product"] = products.get(row["product"], row["product"])
        row["evidence"] = [item for item in evidence.get(number, []) if inside or not _own(item, in_bank)]
        rows.append(row)
    return rows


def _label(index: Index, dimension: str, code: str | None) -> str | None:
    return index.names.label(dimension, code) if code else None


def _facts(engine: Any, snapshot: Snapshot, ids: list[int]) -> dict[int, dict[str, Any]]:
    """Return by company what the list shows of it."""
    import ibis
    import pyarrow as pa

    from qiaomen.customers import CUSTOMERS
    from qiaomen.reach import REACH
    from qiaomen.registry import COMPANIES
    from qiaomen.scoring import TIERS

    wanted = engine.memory(pa.table({"company_id": pa.array(ids, pa.int64())}))
    companies = engine.table(snapshot, COMPANIES).semi_join(wanted, "company_id")
    companies = companies.select(
        "company_id", "uscc", "name", "short_name", "region_code", "industry_code", "status", "founded_on",
        "capital_cny", "employees", "revenue_cny", "listed_on", industry="industry_name",
    )  # fmt: skip
    rows = companies
    joined: tuple[tuple[Table, tuple[str, ...], dict[str, Any]], ...] = (
        (CUSTOMERS, ("institution_code", "manager_no"), {"is_customer": ibis.literal(True)}),
        (TIERS, ("tier", "priority", "response_index", "product"), {}),
        (REACH, ("warmth", "hops"), {}),
    )
    for number, (table, columns, more) in enumerate(joined):
        own = f"own_{number}"
        side = engine.table(snapshot, table)
        side = side.select(*columns, **more, **{own: side.company_id})
        rows = rows.left_join(side, rows.company_id == side[own]).drop(own)
    return {row["company_id"]: row for row in engine.arrow(rows).to_pylist()}


def _evidence(
    engine: Any, snapshot: Snapshot, index: Index, expression: Expression, ids: list[int]
) -> dict[int, list[dict[str, Any]]]:
    """Return by company the memberships that make the conditions of the expression true."""
    import pyarrow as pa

    from qiaomen.membership import MEMBERSHIPS, to_text

    asked = [
        (to_text(member), member.dimension, value)
        for member in _members(expression)
        for value in _values(index, member)
    ]
    if not asked or not ids:
        return {}
    names = ("condition", "dimension", "value")
    wanted = engine.memory(pa.table(dict(zip(names, map(pa.array, zip(*asked, strict=True)), strict=True))))
    numbers = engine.memory(pa.table({"company_id": pa.array(ids, pa.int64())}))
    rows = engine.table(snapshot, MEMBERSHIPS).semi_join(numbers, "company_id")
    rows = rows.inner_join(wanted, ["dimension", "value"])
    rows = rows.select("company_id", "condition", "dimension", "value", "since", "evidence")
    found: dict[int, list[dict[str, Any]]] = {}
    for row in engine.arrow(rows.order_by(["company_id", "condition", "value"])).to_pylist():
        row["label"] = index.names.label(row["dimension"], row["value"])
        found.setdefault(row.pop("company_id"), []).append(row)
    return found


def _members(expression: Expression) -> list[Member]:
    """Return the conditions of membership that stand outside any negation."""
    from qiaomen.membership import And, Member, Or

    if isinstance(expression, Member):
        return [expression]
    if isinstance(expression, And | Or):
        return list(dict.fromkeys(found for item in expression.items for found in _members(item)))
    return []


def _values(index: Index, member: Member) -> tuple[str, ...]:
    if member.value is None:
        return tuple(index.names.values.get(member.dimension, ()))
    return (member.value,) if member.exactly else index.names.below(member.dimension, member.value)


def _own(item: dict[str, Any], in_bank: set[str]) -> bool:
    """Whether a membership says what only the bank's own books know of a customer."""
    place = (item["evidence"] or "").rpartition("｜")[2].partition("/")[0]
    found = item["dimension"] == "opportunity" and item["value"] in in_bank
    return found or item["dimension"] == "customer" or place in OWN_BOOKS


def _cell(value: Any) -> Any:
    """Return a number with the digits that it has and no more."""
    return Decimal(repr(value)) if isinstance(value, float) and isfinite(value) else value


def _evidence_text(row: dict[str, Any]) -> str:
    return "；".join(
        f"{item['label']}：{item['evidence']}" if item["evidence"] else item["label"]
        for item in row["evidence"]
    )


def document_of(snapshot: Snapshot, found: Screening) -> dict[str, Any]:
    """Return the JSON document of an answered query."""
    from qiaomen.membership import to_json, to_text

    return {
        **of_generation(snapshot),
        "expression": to_text(found.expression),
        "expression_json": to_json(found.expression),
        "total": found.total,
        "customers": found.customers,
        "listed": len(found.rows),
        "sort": found.sort,
        "companies": found.rows,
    }


def _print(found: Screening) -> None:
    from qiaomen.reports import money

    headings = dict(COLUMNS)
    rows = []
    for row in found.rows:
        shown = row | {
            "capital_cny": money(row["capital_cny"]),
            "customer": row["customer"] or "潜客",
            "priority": None if row["priority"] is None else f"{row['priority']:.1f}",
        }
        rows.append([*(shown[name] for name in ON_SCREEN), _evidence_text(row)])
    note = f"共 {found.total:,} 户，其中存量客户 {found.customers:,} 户；列出 {len(found.rows):,} 户"
    print_table("筛选结果", [*(headings[name] for name in ON_SCREEN), "依据"], rows, note=note)


def _note_export(
    workspace: Workspace, viewer: Viewer, form: str, found: Screening, generation: int, data: bytes
) -> None:
    """Write the export into the audit log before the file leaves."""
    from qiaomen.bank import audit_export
    from qiaomen.membership import to_text
    from qiaomen.store import writing

    with writing(workspace.sql) as connection:
        audit_export(
            connection,
            viewer,
            "screen",
            query=to_text(found.expression),
            rows=len(found.rows),
            sha256=hashlib.sha256(data).hexdigest(),
            generation=generation,
            form=form,
            now=workspace.now(),
        )
