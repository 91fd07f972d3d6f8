"""Usage errors of every command: in Chinese, with the word at fault and the nearest name, exit code 2."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from qiaomen.cli.commands import app
from tests.cli.conftest import call

pytestmark = pytest.mark.xdist_group("cli")


def commands(command: Any = None, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that does something, with its words."""
    command = command or typer.main.get_command(app)
    inner = getattr(command, "commands", None)
    if inner is None:
        yield path, command
        return
    for name, each in inner.items():
        yield from commands(each, (*path, name))


def wrong_lines() -> Iterator[tuple[str, ...]]:
    """For each command an unknown option, a word too many, what is needed left out, options without or with a bad value."""
    for path, command in commands():
        needed = [param for param in command.params if param.required]
        given: list[str] = []
        for param in needed:
            given += [*(param.opts[:1] if param.param_type_name == "option" else []), "2026"]
        yield (*path, *given, "--no-such-option")
        if needed:
            yield path
        if not any(param.nargs == -1 for param in command.params):
            words = sum(param.param_type_name == "argument" for param in command.params)
            yield (*path, *given, *["1"] * (words + 1))
        for param in command.params:
            if param.param_type_name != "option":
                continue
            if param.is_flag:
                yield (*path, *given, f"{max(param.opts, key=len)}=1")
                continue
            yield (*path, *given, param.opts[0])
            if getattr(param.type_descriptor, "annotation", str) in (int, float) or "datetime" in str(
                getattr(param.type_descriptor, "annotation", "")
            ):
                yield (*path, *given, param.opts[0], "abc")


def test_every_wrong_line_is_refused_in_chinese(tmp_path: Path) -> None:
    lines = list(wrong_lines())
    assert len(lines) > 200
    english = []
    for line in lines:
        answer = call(*line, workspace=tmp_path)
        assert answer.code == 2, (line, answer.err)
        said = re.sub(
            r"执行 qiaomen[ a-z-]* --help|qiaomen\.toml|“[^”]*”|-[-\w]+|\b[A-Z_]+\b", "", answer.err
        )
        for word in {word for part in line for word in (part, part.upper())}:
            said = said.replace(word, "")
        # What is left of an option's near names is a list of options, taken away above.
        if re.search(r"[A-Za-z]{3,}", said):
            english.append((line, answer.err))
        assert "处理办法" in answer.err, line
    assert not english, english[:5]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (("taks",), "没有命令 taks，相近的有 tasks"),
        (("tasks", "--stat", "x"), "没有选项 --stat，相近的有 --as、--state、--text"),
        (("company",), "缺少参数 KEY"),
        (("company", "甲", "乙"), "多余的参数 乙"),
        (("reach", "x", "-k", "abc"), "选项 -k 的值“abc”应为整数"),
        (("reach", "x", "-k", "-5"), "选项 -k 的值“-5”不能小于 1"),
        (("serve", "--port", "99999999"), "选项 --port 的值“99999999”不能大于 65535"),
        (("run", "--as-of", "2026-13-40"), "选项 --as-of 的值“2026-13-40”不是日期，写成 2026-06-30"),
        (("tasks", "--标签"), "没有选项 --标签"),
        (("ta'ks",), "没有命令 ta'ks，相近的有 tasks"),
        (("tasks", "--json=1"), "选项 --json 不带值"),
        (("tasks", "--state"), "选项 --state 后面缺少值"),
    ],
)  # fmt: skip
def test_what_is_said(tmp_path: Path, line: tuple[str, ...], said: str) -> None:
    answer = call(*line, workspace=tmp_path)
    assert answer.code == 2
    assert said in answer.err


def test_the_document_says_the_same(tmp_path: Path) -> None:
    answer = call("tasks", "--json", "--unknown-word", workspace=tmp_path)
    error = json.loads(answer.out)["error"]
    assert (error["code"], error["message"]) == ("usage", "没有选项 --unknown-word")
