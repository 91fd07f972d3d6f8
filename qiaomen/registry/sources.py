"""What a source is: declared files, columns, cleaning, keys and expectations (``catalog/data/sources/*.yaml``).

A bank adds its own source as a YAML file in its overlay; no code is needed. ``docs/sources.md`` is written from these.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from qiaomen.catalog import CatalogRow, read_rows
from qiaomen.registry.cleaning import cleaner_type, default_cleaner
from qiaomen.vocab import BASIS_LABELS, CatalogInvalid, LawfulBasis, Table

CONTENT: Final = "*"
# Columns that name a person or reach one.
PERSONAL: Final = frozenset(
    {"phone", "email", "contact", "legal_representative", "person_ref", "person_name"}
)
PLACEHOLDER: Final = re.compile(r"\{([^{}?]+)(\??)\}")
MISSING_WORDS: Final = (
    *("-", "--", "—", "——", "/", "null", "none", "nan", "nat", "n/a", "#n/a", r"\n", "&nbsp;"),
    *("未知", "不详", "暂无", "未披露", "未公开"),
)
BadCell = Literal["reject", "null"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


def _lists(data: Any, *keys: str) -> Any:
    """Let a list of one be written as a plain word."""
    if not isinstance(data, dict):
        return data
    return {key: [value] if key in keys and isinstance(value, str) else value for key, value in data.items()}


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as error:
        raise ValueError(f"正则表达式“{text}”写错了：{error}") from error
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]


class Condition(_Part):
    """A test on one cell as the file has it (trimmed): all tests given must hold; ``negate`` turns the result."""

    headers: tuple[str, ...] = Field(alias="from")
    one_of: tuple[str, ...] = ()
    matches: Pattern | None = None
    empty: bool | None = None
    negate: bool = Field(default=False, alias="not")

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return _lists(data, "from")


class RefPart(_Part):
    """One way to write a reference ``scheme:value``: from a cell or from a template."""

    scheme: str
    headers: tuple[str, ...] = Field(default=(), alias="from")
    template: str | None = None
    clean: tuple[str, ...] = ("code",)
    where: tuple[Condition, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        return _lists(data, "from", "clean")


class ColumnRule(_Part):
    """How one column of the table is filled from a row of the file.

    The value comes from the first non-empty of ``from`` (headers), ``ref`` (first part that yields), ``template``,
    ``json`` (key to header), ``const`` or ``ordinal``; then ``map``, ``clean``, ``one_of``, ``range``; else ``default``.
    A value that cannot be accepted rejects the row, or with ``on_bad: null`` is left out and counted in the warnings.
    """

    headers: tuple[str, ...] = Field(default=(), alias="from")
    ref: tuple[RefPart, ...] = ()
    template: str | None = None
    json_keys: dict[str, str] = Field(default_factory=dict, alias="json")
    const: str | None = None
    ordinal: bool = False
    clean: tuple[str, ...] = ()
    mapping: dict[str, str] = Field(default_factory=dict, alias="map")
    units: dict[str, float] = Field(default_factory=dict)
    one_of: tuple[str, ...] = ()
    range: tuple[float, float] | None = None
    default: str | None = None
    required: bool = False
    on_bad: BadCell = "reject"

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, data: Any) -> Any:
        plain = _lists(data, "from", "clean")
        if isinstance(plain, dict) and isinstance(plain.get("map"), dict):
            plain["map"] = {str(key): str(value) for key, value in plain["map"].items()}
        return plain

    @property
    def inputs(self) -> tuple[str, ...]:
        """Headers that the rule reads, templates left out."""
        found = [*self.headers, *self.json_keys.values()]
        for part in self.ref:
            found += [*part.headers, *(header for test in part.where for header in test.headers)]
        return tuple(dict.fromkeys(found))


class Comparison(_Part):
    """A law between cleaned columns, with the reason given where a row breaks it."""

    columns: tuple[str, ...]
    reason: str


class Split(_Part):
    """One row becomes one per piece of a cell (``by`` is a regular expression), read under the header ``into``.

    Pieces in ``ignore`` name nobody (未披露, 个人投资者); they are left out and counted in the warnings.
    """

    header: str = Field(alias="from")
    by: Pattern
    into: str
    ignore: tuple[str, ...] = ()


class RejectRule(_Part):
    """Rows that are no data (totals, shifted cells): rejected with the stated reason."""

    where: tuple[Condition, ...]
    reason: str


class TableRule(_Part):
    """How rows of a file become rows of one loaded table.

    A part of ``key`` is a column, a template over headers (``"{样本组}/{企业代号}"``), or ``*`` for the content;
    ``key_prefix`` keeps apart the rows of several files that feed one table. Of rows of one load with one key and
    different values the last (``duplicates: first``: the first) lands, the others are rejected by name of the line.
    Changes of ``track`` columns are recorded.
    """

    table: str
    key: tuple[str, ...]
    key_prefix: str = ""
    duplicates: Literal["last", "first"] = "last"
    where: tuple[Condition, ...] = ()
    split: Split | None = None
    columns: dict[str, ColumnRule]
    differ: tuple[Comparison, ...] = ()
    ordered: tuple[Comparison, ...] = ()
    any_of: tuple[Comparison, ...] = ()
    track: tuple[str, ...] = ()


class FileFormat(_Part):
    """How to read the file; what is not stated is found out."""

    encodings: tuple[str, ...] = ("utf-8-sig", "gb18030")
    delimiter: str | None = None
    header_row: int = 1
    headers: tuple[str, ...] = ()
    sheet: str | None = None
    document: bool = False
    missing: tuple[str, ...] = MISSING_WORDS


class Expectation(_Part):
    """Bounds that make a file believable; outside them the whole file is refused."""

    min_rows: int = 1
    max_rows: int | None = None
    max_rejected_share: float | None = None
    max_ended_share: float = 0.5


class FileRule(_Part):
    """Files of one shape. ``ignored`` names the reason why such files hold nothing to land."""

    patterns: tuple[str, ...]
    format: FileFormat = FileFormat()
    mode: Literal["delta", "snapshot"] = "delta"
    ignored: str | None = None
    reject: tuple[RejectRule, ...] = ()
    tables: tuple[TableRule, ...] = ()
    expect: Expectation = Expectation()

    @model_validator(mode="after")
    def _lands_or_ignored(self) -> FileRule:
        if bool(self.tables) == (self.ignored is not None):
            raise ValueError("每种文件要么写 tables，要么写 ignored 及原因")
        return self


Stated = Annotated[str, Field(min_length=2, max_length=200)]


class Source(CatalogRow):
    """One declared source, with what the audit asks for: supplier, authorisation, purpose, retention.

    Rows older than ``retention_days`` since they were last loaded are listed by ``qiaomen retention``. A source of
    personal information states the ground of 个人信息保护法第十三条 on which it is used.
    """

    name_zh: str
    doc: str = ""
    supplier: Stated
    authorisation: Stated
    purpose: Stated
    retention: Stated
    retention_days: int = Field(ge=1, le=36_500)
    lawful_basis: LawfulBasis | None = None
    files: tuple[FileRule, ...]

    @model_validator(mode="after")
    def _grounds_for_persons(self) -> Source:
        filled = {name for rule in self.files for table in rule.tables for name in table.columns}
        if (personal := sorted(filled & PERSONAL)) and self.lawful_basis is None:
            known = "、".join(f"{basis.value}（{BASIS_LABELS[basis]}）" for basis in LawfulBasis)
            raise ValueError(f"含个人信息（{'、'.join(personal)}），须写明 lawful_basis：{known}")
        return self


def load_sources(overlay: Path | None = None) -> dict[str, Source]:
    """Return all declared sources by code, the bank's own included."""
    return {source.code: source for source in read_rows("sources", Source, overlay=overlay)}


def check_sources(sources: Iterable[Source], tables: Mapping[str, Table]) -> None:
    """Raise ``CatalogInvalid`` where a source names a table, column, cleaner or template part that does not exist."""
    for source in sources:
        for file_rule in source.files:
            for rule in file_rule.tables:
                where = f"来源 {source.code} 表 {rule.table}"
                table = tables.get(rule.table)
                if table is None or not table.loaded:
                    raise CatalogInvalid(f"没有可装载的表“{rule.table}”", where=where, remedy="改正 table")
                _check_table(rule, table, where)


def is_template(key_part: str) -> bool:
    """Return whether a part of a key is a template over the file's headers rather than a column."""
    return "{" in key_part


def record_names(table: Table) -> tuple[str, ...]:
    """Return the columns of a loaded table that a source may fill (the record columns left out)."""
    return table.names[:-6]


def hashed_names(table: Table, rule: TableRule) -> tuple[str, ...]:
    """Return the columns whose values make the content of a row: all but the ordinal."""
    return tuple(
        name for name in record_names(table) if name not in rule.columns or not rule.columns[name].ordinal
    )


def _check_table(rule: TableRule, table: Table, where: str) -> None:
    allowed = set(record_names(table))
    named = [
        *rule.columns,
        *rule.track,
        *(part for part in rule.key if part != CONTENT and not is_template(part)),
        *(name for law in (*rule.differ, *rule.ordered, *rule.any_of) for name in law.columns),
    ]
    if unknown := sorted(set(named) - allowed):
        raise CatalogInvalid(f"没有名为“{'、'.join(unknown)}”的列", where=where, remedy="对照数据模型改正")
    if unfilled := sorted(set(named) - set(rule.columns)):
        raise CatalogInvalid(
            f"列“{'、'.join(unfilled)}”没有取值规则", where=where, remedy="在 columns 中补上"
        )
    for name, column in rule.columns.items():
        _check_column(name, column, table.column(name).type, where)


def _check_column(name: str, column: ColumnRule, kind: str, where: str) -> None:
    given = [column.headers, column.ref, column.template, column.json_keys, column.const, column.ordinal]
    if sum(bool(way) for way in given) != 1:
        raise CatalogInvalid(
            f"列“{name}”应恰有一种取值方式",
            where=where,
            remedy="from、ref、template、json、const、ordinal 选一",
        )
    steps = column.clean or (default_cleaner(kind),)
    if column.headers or column.const is not None:
        for step in steps[:-1]:
            if cleaner_type(step) != "string":
                raise CatalogInvalid(f"列“{name}”的清洗“{step}”只能放在最后", where=where, remedy="调整次序")
        if cleaner_type(steps[-1]) != kind:
            raise CatalogInvalid(
                f"列“{name}”的清洗“{steps[-1]}”得不到 {kind}", where=where, remedy="换一个清洗"
            )
    elif kind not in ("string", "int64") or (kind == "int64") != column.ordinal:
        raise CatalogInvalid(f"列“{name}”的取值方式得不到 {kind}", where=where, remedy="改用 from")
    for part in column.ref:
        for step in part.clean:
            if cleaner_type(step) != "string":
                raise CatalogInvalid(f"引用“{name}”的清洗“{step}”应得文本", where=where, remedy="换一个清洗")
