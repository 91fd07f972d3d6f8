"""Reading queries: the grammar in the docs, labels, literals, refusals with position and nearest names."""

from __future__ import annotations

import datetime as dt
import random
import re
from pathlib import Path

import pytest

from qiaomen.membership import (
    And,
    Compare,
    Everything,
    Index,
    Known,
    Member,
    Not,
    Or,
    WrongExpression,
    build_index,
    from_json,
    parse,
)
from qiaomen.vocab import InputRejected
from tests.membership.examples import VALUES, facts, memberships, names

GRAMMAR = Path(__file__).parents[2] / "docs" / "screening.md"


@pytest.fixture(scope="module")
def catalogue():
    rows = [(1, dimension, value) for dimension, values in VALUES.items() for value in values]
    return Index.open(build_index(memberships(rows), facts([(1, 1.0, 1, None, None)]), names=names())).names


def test_the_example_of_the_docs(catalogue):
    text = "tag:high_tech & chain:集成电路/上游 & region:310000 & capital_cny>=1000万 & !customer"
    assert parse(text, catalogue) == And(
        (
            Member("tag", "high_tech"),
            Member("chain", "集成电路/上游"),
            Member("region", "310000"),
            Compare("capital_cny", ">=", 10_000_000),
            Not(Member("customer")),
        )
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", Everything()),
        (" * ", Everything()),
        ("标签:高企", Member("tag", "high_tech")),
        ("TAG：高新技术企业", Member("tag", "high_tech")),
        ("tag=high_tech", Member("tag", "high_tech", exactly=True)),
        ('tag:"绿色工厂（国家级）"', Member("tag", "绿色工厂（国家级）")),
        ("chain:硅片", Member("chain", "N1")),
        ("chain:集成电路/上游/硅片", Member("chain", "N1")),
        ("region:31", Member("region", "310000")),
        ("region:3101", Member("region", "310100")),
        ("行业:3973", Member("industry", "C3973")),
        ("industry:c39", Member("industry", "C39")),
        ("known(注册资本)", Known("capital_cny")),
        ("known(tag)", Member("tag")),
        ("注册资本≥1.5亿", Compare("capital_cny", ">=", 150_000_000.0)),
        ("capital_cny<1,000,000", Compare("capital_cny", "<", 1_000_000)),
        ("capital_cny<30%", Compare("capital_cny", "<", 0.3)),
        ("founded_on>2020-02-29", Compare("founded_on", ">", dt.date(2020, 2, 29))),
        ("listed", Compare("listed", "=", True)),
        ("listed!=否", Compare("listed", "!=", False)),
        ("！customer", Not(Member("customer"))),
        (
            "tag 且 非 customer 或 park",
            Or((And((Member("tag"), Not(Member("customer")))), Member("park"))),
        ),
        ("tag | park & list", Or((Member("tag"), And((Member("park"), Member("list")))))),
        ("（tag | park）& list", And((Or((Member("tag"), Member("park"))), Member("list")))),
    ],
)
def test_reads(catalogue, text, expected):
    assert parse(text, catalogue) == expected


@pytest.mark.parametrize(
    ("text", "position", "nearest"),
    [
        ("tag:high_tch", 4, "高新技术企业（high_tech）"),
        ("customer & regoin:310000", 11, "region"),
        ("capital_cny>=很多", 13, None),
        ("capital_cny:5", 11, None),
        ("founded_on>=2021-02-30", 12, None),
        ("founded_on>=2021", 12, None),
        ("listed>true", 7, None),
        ("tag>1", 3, None),
        ("tag:", 4, None),
        ("tag &", 5, None),
        ("(tag", 4, None),
        ("tag)", 3, None),
        ("tag park", 4, None),
        ('tag:"high', 4, None),
        ("known(tag", 9, None),
        ("地区:朝阳区", 3, "朝阳区（110105）"),
        ("capital_cny>1e999", 12, None),
        ("capital_cny>" + "9" * 5000, 12, None),
    ],
)
def test_refuses_with_position_and_nearest(catalogue, text, position, nearest):
    with pytest.raises(WrongExpression) as refused:
        parse(text, catalogue)
    assert isinstance(refused.value, InputRejected)
    assert refused.value.position == position
    assert f"第 {position + 1} 个字符" in str(refused.value)
    if nearest:
        assert nearest in refused.value.nearest
        assert nearest in str(refused.value)


@pytest.mark.parametrize("text", ["(" * 5000 + "tag", "!" * 5000 + "tag", "tag" + " " * 20_000])
def test_refuses_what_is_too_deep_or_too_long(catalogue, text):
    with pytest.raises(WrongExpression):
        parse(text, catalogue)


@pytest.mark.parametrize(
    ("data", "where"),
    [
        ([], "$"),
        ({"and": [{"all": True}]}, "$"),
        ({"not": {"dimension": "tag", "value": "nothing_like_it"}}, "$.not.value"),
        ({"or": [{"all": True}, {"field": "capital_cny", "op": "~", "value": 1}]}, "$.or[1].value"),
        ({"field": "tag", "op": "=", "value": 1}, "$.field"),
        ({"field": "capital_cny", "op": "=", "value": None}, "$.value"),
        ({"dimension": "capital_cny"}, "$.dimension"),
        ({"dimension": "tag", "value": "high_tech", "exactly": "yes"}, "$.exactly"),
        ({"dimension": "tag", "colour": "red"}, "$"),
        ({"all": False}, "$"),
    ],
)
def test_refuses_wrong_json_with_its_path(catalogue, data, where):
    with pytest.raises(WrongExpression) as refused:
        from_json(data, catalogue)
    assert refused.value.where == where


def _rules() -> dict[str, str]:
    block = re.search(r"```ebnf\n(.*?)```", GRAMMAR.read_text(encoding="utf-8"), re.DOTALL)
    assert block
    return {
        rule.split("=", 1)[0].strip(): rule.split("=", 1)[1].strip()
        for rule in re.split(r" ;\n", block[1])
        if rule.strip()
    }


SPECIAL = {
    "date": ["2025-01-31"],
    "dimension": ["tag", "地区", "chain", "customer"],
    "number_field": ["capital_cny", "注册资本", "employees"],
    "date_field": ["founded_on"],
    "truth_field": ["listed"],
}
VALUE_OF = {"tag": "high_tech", "地区": "310000", "chain": "集成电路/上游", "customer": "正常"}
_PIECE = re.compile(r'"[^"]*"|\w+|[][(){},|]')


class _Writer:
    """Writes random sentences of the grammar in the docs."""

    def __init__(self, rules: dict[str, str], seed: int) -> None:
        self.rules, self.random, self.dimension = rules, random.Random(seed), ""

    def rule(self, name: str, depth: int) -> str:
        if name in SPECIAL:
            chosen = self.random.choice(SPECIAL[name])
            self.dimension = chosen if name == "dimension" else self.dimension
            return chosen
        if name == "value":
            return VALUE_OF[self.dimension]
        pieces = _PIECE.findall(self.rules[name])
        text, rest = self.choice(pieces, depth + 1)
        assert not rest
        return text

    def choice(self, pieces: list[str], depth: int) -> tuple[str, list[str]]:
        options, current, level = [], [], 0
        rest: list[str] = []
        for at, piece in enumerate(pieces):
            level += (piece in "[({") - (piece in "])}")
            if level < 0:
                rest = pieces[at:]
                break
            if piece == "|" and level == 0:
                options.append(current)
                current = []
            else:
                current.append(piece)
        options.append(current)
        chosen = options[-1] if depth > 25 and len(options) > 2 else self.random.choice(options)
        return self.sequence(chosen, depth), rest

    def sequence(self, pieces: list[str], depth: int) -> str:
        text = ""
        while pieces:
            head, pieces = pieces[0], pieces[1:]
            if head == ",":
                continue
            if head in ("(", "[", "{"):
                inner, pieces = self.choice(pieces, depth)
                pieces = pieces[1:]
                keep = head == "(" or (depth < 25 and self.random.random() < 0.4)
                text += inner if keep else ""
            else:
                text += head[1:-1] if head.startswith('"') else self.rule(head, depth)
        return text


@pytest.mark.parametrize("seed", range(300))
def test_every_sentence_of_the_documented_grammar_is_read(catalogue, seed):
    rules = _rules()
    sentence = _Writer(rules, seed).rule("query", 0)
    parse(sentence, catalogue)


def test_the_documented_grammar_names_every_rule_it_uses():
    rules = _rules()
    for name, body in rules.items():
        if "?" not in body:
            words = re.findall(r"[a-z_]+", re.sub(r'"[^"]*"', "", body))
            assert set(words) <= set(rules), name
