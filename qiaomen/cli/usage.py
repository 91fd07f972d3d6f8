"""Says in Chinese what is wrong with a command line: the word at fault, what is expected, the nearest valid name.

The parser words its refusals in English. Each class of refusal is said anew from what it carries (option, parameter,
value); where it carries only its sentence, the word at fault is taken from there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from difflib import get_close_matches
from typing import Any, Final

EXPECTED: Final[Mapping[str, str]] = {
    "int_parsing": "应为整数",
    "int_from_float": "应为整数",
    "int_parsing_size": "整数过大",
    "float_parsing": "应为数字",
    "finite_number": "应为有限的数字",
    "bool_parsing": "应为 true 或 false",
    "greater_than_equal": "不能小于 {ge}",
    "greater_than": "必须大于 {gt}",
    "less_than_equal": "不能大于 {le}",
    "less_than": "必须小于 {lt}",
    "enum": "可用：{expected}",
    "literal_error": "可用：{expected}",
}
WORD: Final = re.compile(r"(['\"])(.*?)\1")
WORDS: Final = re.compile(r" \((.*)\)$")


def usage_message(error: Any) -> str:
    """Return what a refusal of the parser says, without its English."""
    kind = type(error).__name__
    said = str(error.message or "")
    if kind == "NoSuchOption":
        return f"没有选项 {error.option_name}{_near(error.possibilities or ())}"
    if kind == "MissingParameter":
        return f"缺少{_named(error.param)}"
    if kind == "BadOptionUsage":
        # A flag that was given a value, or an option that was given none: only the sentence tells.
        return f"选项 {error.option_name} " + ("不带值" if "not take" in said else "后面缺少值")
    if kind == "BadParameter" and error.param is not None:
        return f"{_named(error.param)} 的值{_fault(error)}"
    commands = getattr(error.ctx.command, "commands", None) if error.ctx is not None else None
    if commands is not None and (found := WORD.search(said)):
        return f"没有命令 {found[2]}{_near(get_close_matches(found[2], list(commands)))}"
    if found := WORDS.search(said):
        return f"多余的参数 {found[1]}"
    return "命令写法不对"


def _near(names: Any) -> str:
    listed = "、".join(sorted(names))
    return f"，相近的有 {listed}" if listed else ""


def _named(param: Any) -> str:
    if param.param_type_name == "argument":
        return f"参数 {param.metavar or param.name.upper()}"
    return f"选项 {max(param.opts, key=len)}"


def _fault(error: Any) -> str:
    """Return what is wrong with a value, from the check that refused it."""
    cause = error.__cause__ or error.__context__
    rows = cause.errors() if hasattr(cause, "errors") else []
    if not rows:
        return "不合用"
    row = rows[0]
    value = f"“{row['input']}”" if isinstance(row["input"], str) else ""
    if getattr(error.param.type_descriptor, "annotation", None) is datetime:
        return f"{value}不是日期，写成 2026-06-30"
    words = EXPECTED.get(row["type"], "不合用")
    limits = {name: str(each) for name, each in row.get("ctx", {}).items()}
    return value + words.format_map(limits).replace("' or '", "、").replace("', '", "、").replace("'", "")
