"""Reads declared rules from CSV and YAML, with the bank's overlay; refuses a bad row by file and line.

A catalogue ``name`` is ``data/<name>.csv``, ``data/<name>.yaml`` (a list of mappings) or ``data/<name>/*.yaml``
(one mapping, or a list of them, in each file). The overlay folder holds files of the same relative paths: a row
with the ``code`` of a shipped row replaces it, a new code is added, and ``retired: true`` removes one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from qiaomen.vocab import CatalogInvalid

SHIPPED: Final = Path(__file__).parent / "data"
LIST_SEPARATOR: Final = ";"


class CatalogRow(BaseModel):
    """Base of every declared row: frozen, unknown keys refused, ``code`` unique within its catalogue.

    In CSV an empty cell means the field's default and a tuple field is split at ``;``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    code: str

    @model_validator(mode="before")
    @classmethod
    def _split_lists(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        values = dict(data)
        for name, info in cls.model_fields.items():
            value = values.get(name)
            if isinstance(value, str) and get_origin(info.annotation) is tuple:
                values[name] = [part.strip() for part in value.split(LIST_SEPARATOR) if part.strip()]
        return values


Row = TypeVar("Row", bound=CatalogRow)
_Located = tuple[str, int, dict[str, Any]]


# libyaml is eight times as fast; the pure loader understands the same.
_SafeLoader: Final[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _LineLoader(_SafeLoader):
    """Safe YAML loader that refuses a key given twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                line = key_node.start_mark.line + 1
                raise CatalogInvalid(f"键“{key}”重复", where=f"第 {line} 行", remedy="删去其中一个")
            seen.add(key)
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        return mapping


def _yaml_rows(path: Path, label: str) -> Iterator[_Located]:
    try:
        text = path.read_text(encoding="utf-8")
        loader = _LineLoader(text)
        try:
            root = loader.get_single_node()
            data = None if root is None else loader.construct_document(root)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        raise CatalogInvalid(
            f"YAML 语法错误：{error}", where=f"{label} 第 {line} 行", remedy="改正语法"
        ) from error
    except UnicodeDecodeError as error:
        raise CatalogInvalid("不是 UTF-8 编码", where=label, remedy="另存为 UTF-8") from error
    except CatalogInvalid as error:
        raise CatalogInvalid(error.message, where=f"{label} {error.where}", remedy=error.remedy) from error
    if root is None:
        return
    nodes = root.value if isinstance(root, yaml.SequenceNode) else [root]
    items = data if isinstance(data, list) else [data]
    for node, item in zip(nodes, items, strict=True):
        line = node.start_mark.line + 1
        if not isinstance(item, dict):
            raise CatalogInvalid("每一项都应是键值表", where=f"{label} 第 {line} 行", remedy="写成“键: 值”")
        yield label, line, item


def _csv_rows(path: Path, label: str) -> Iterator[_Located]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogInvalid("不是 UTF-8 编码", where=label, remedy="另存为 UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), strict=True)
    if not reader.fieldnames:  # reading the header first keeps line_num true for the rows
        return
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader, None)
        except csv.Error as error:
            raise CatalogInvalid(f"CSV 格式错误：{error}", where=f"{label} 第 {line} 行") from error
        if row is None:
            return
        if None in row or None in row.values():
            raise CatalogInvalid(
                "列数与表头不符", where=f"{label} 第 {line} 行", remedy="补齐或删去多余的逗号"
            )
        yield label, line, {key: value for key, value in row.items() if value != ""}


def _files(root: Path, name: str) -> Iterable[Path]:
    for suffix in ("csv", "yaml"):
        single = root / f"{name}.{suffix}"
        if single.exists():
            yield single
    yield from sorted((root / name).glob("*.yaml"))


def _located(root: Path, name: str) -> Iterator[_Located]:
    for path in _files(root, name):
        label = str(path.relative_to(root))
        yield from _csv_rows(path, label) if path.suffix == ".csv" else _yaml_rows(path, label)


def _validated(row_type: type[Row], located: _Located) -> Row:
    label, line, values = located
    try:
        return row_type.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"]) or "整行"
        raise CatalogInvalid(
            f"“{field}”不合规：{first['msg']}",
            where=f"{label} 第 {line} 行",
            remedy="对照 docs/catalogues.md 改正该行",
        ) from error


def read_rows(name: str, row_type: type[Row], *, overlay: Path | None = None) -> tuple[Row, ...]:
    """Return the rows of a catalogue in file order, the overlay applied.

    Raises ``CatalogInvalid`` with file and line for a bad row, a code given twice, or a catalogue that is not shipped.
    """
    rows: dict[str, Row] = {}
    for located in _located(SHIPPED, name):
        row = _validated(row_type, located)
        if row.code in rows:
            raise CatalogInvalid(
                f"代码“{row.code}”重复", where=f"{located[0]} 第 {located[1]} 行", remedy="换一个代码"
            )
        rows[row.code] = row
    if not rows:
        raise CatalogInvalid(f"没有名为“{name}”的目录", remedy="检查 qiaomen/catalog/data")
    if overlay is not None:
        _overlay(rows, name, row_type, overlay)
    return tuple(rows.values())


def _overlay(rows: dict[str, Row], name: str, row_type: type[Row], overlay: Path) -> None:
    seen: set[str] = set()
    for label, line, values in _located(overlay, name):
        retired = str(values.pop("retired", "")).lower() in {"true", "1", "yes", "是"}
        code = str(values.get("code", ""))
        if code in seen:
            raise CatalogInvalid(f"代码“{code}”重复", where=f"{label} 第 {line} 行", remedy="换一个代码")
        seen.add(code)
        if retired:
            if rows.pop(code, None) is None:
                raise CatalogInvalid(
                    f"要停用的“{code}”不存在", where=f"{label} 第 {line} 行", remedy="检查代码"
                )
            continue
        rows[code] = _validated(row_type, (label, line, values))
