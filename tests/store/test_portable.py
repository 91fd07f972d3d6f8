"""Portable operations: known answers on DuckDB, the same answers on Spark, and no way around them."""

from __future__ import annotations

import ast
import calendar
import math
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import qiaomen
from qiaomen.store import Engine, portable

DATA = pa.table(
    {
        "i": [1, 2, 3, 4, 5],
        "d": [date(2024, 1, 31), date(2023, 12, 29), date(2024, 2, 29), None, date(1999, 12, 31)],
        "e": [date(2024, 3, 1), date(2023, 1, 30), date(2025, 2, 28), date(2020, 1, 1), date(1999, 12, 31)],
        "n": [1, -13, 12, 5, 2],
        "m": [1.005, -2.675, 0.125, None, 90_000_000_000_000.15],
        "s": ["甲方有限公司", "ABC12号楼", "x\ny", None, "a'b\\c%d_"],
        "j": ['{"a":"甲\\"","b":1.5}', '{"a":null,"b":null}', '{"a":"null"}', None, '{"b":7}'],
        "w": ["a; b;a", "c", "", None, ";"],
        "g": ["u", "u", "v", "v", None],
    }
)


def cases(t: Any) -> dict[str, Any]:
    """Every operation once, as tables in a definite order."""
    p = portable
    values = t.select(
        t.i,
        add_days=p.add_days(t.d, 30),
        add_days_column=p.add_days(t.d, t.n),
        add_month=p.add_months(t.d, 1),
        add_months_column=p.add_months(t.d, t.n),
        months=p.months_between(t.d, t.e),
        days=p.days_between(t.d, t.e),
        month_start=p.month_start(t.d),
        rounded=p.round_half_up(t.m),
        rounded_whole=p.round_half_up(t.m, 0),
        fen=p.fen(t.m),
        quotient=p.divide(t.m, t.n - 1),
        no_nan=p.not_nan(t.m),
        any_word=p.contains_any(t.s, ["有限", "12", "'b\\"]),
        no_word=p.contains_any(t.s, []),
        whole=p.matches(t.s, "^[A-Z]+[0-9]{2}号楼$"),
        first_line=p.matches(t.s, "x$"),
        escaped=p.matches(t.s, r"b\\c%"),
        extracted=p.extract(t.s, r"(\d+)号", 1),
        replaced=p.replace_pattern(t.s, "[0-9]+", "#"),
        json_text=p.json_text(t.j, "a"),
        json_number=p.json_number(t.j, "b"),
        hashed=p.hash_text(t.s, t.i),
        metres=p.round_half_up(p.distance_m(t.n + 100.5, t.n + 30.25, t.n + 101.0, t.n + 30.0), 1),
    )
    return {
        "values": values.order_by("i"),
        "sums": t.group_by("g")
        .aggregate(total=p.money_sum(t.m), words=p.join_words(t.s, "|"))
        .order_by(p.ascending(portable_column("g"))),
        "words": p.split_words(t, "w", to="word").select("i", "word").order_by(["i", "word"]),
        "newest": p.newest(t, ["g"], ["d"], ["i"]).select("g", "i").order_by("i"),
        "as_of": p.as_of_join(
            t.select("i", "g", "e"), t.select("g", "d", "n"), key=["i"], by=["g"], dates=("e", "d")
        )
        .select("i", "d", "n")
        .order_by("i"),
        "descending": t.select("i", "m").order_by([p.descending(t.m), "i"]).select("i"),
    }


def portable_column(name: str) -> Any:
    import ibis

    return ibis._[name]


def _metres(n: int) -> float:
    rise, turn = math.radians(-0.25) / 2, math.radians(0.5) / 2
    part = (
        math.sin(rise) ** 2
        + math.cos(math.radians(n + 30.25)) * math.cos(math.radians(n + 30.0)) * math.sin(turn) ** 2
    )
    return round(2 * portable.EARTH_RADIUS_M * math.asin(math.sqrt(part)), 1)


EXPECTED: dict[str, dict[str, list[Any]]] = {
    "values": {
        "i": [1, 2, 3, 4, 5],
        "add_days": [date(2024, 3, 1), date(2024, 1, 28), date(2024, 3, 30), None, date(2000, 1, 30)],
        "add_days_column": [
            date(2024, 2, 1),
            date(2023, 12, 16),
            date(2024, 3, 12),
            None,
            date(2000, 1, 2),
        ],
        "add_month": [date(2024, 2, 29), date(2024, 1, 29), date(2024, 3, 29), None, date(2000, 1, 31)],
        "add_months_column": [
            date(2024, 2, 29),
            date(2022, 11, 29),
            date(2025, 2, 28),
            None,
            date(2000, 2, 29),
        ],
        "months": [1, -10, 11, None, 0],
        "days": [30, -333, 365, None, 0],
        "month_start": [date(2024, 1, 1), date(2023, 12, 1), date(2024, 2, 1), None, date(1999, 12, 1)],
        "rounded": [1.01, -2.68, 0.13, None, 90_000_000_000_000.16],
        "rounded_whole": [1.0, -3.0, 0.0, None, 90_000_000_000_000.0],
        "fen": [101, -268, 13, None, 9_000_000_000_000_016],
        "quotient": [None, 0.19107142857142856, 0.011363636363636364, None, 90_000_000_000_000.15],
        "no_nan": [1.005, -2.675, 0.125, None, 90_000_000_000_000.15],
        "any_word": [True, True, False, False, True],
        "no_word": [False] * 5,
        "whole": [False, True, False, False, False],
        "first_line": [False] * 5,
        "escaped": [False, False, False, False, True],
        "extracted": [None, "12", None, None, None],
        "replaced": ["甲方有限公司", "ABC#号楼", "x\ny", None, "a'b\\c%d_"],
        "json_text": ['甲"', None, "null", None, None],
        "json_number": [1.5, None, None, None, 7.0],
        "hashed": [
            portable.hash_of(text, number)
            for text, number in zip(DATA["s"].to_pylist(), DATA["i"].to_pylist(), strict=True)
        ],
        "metres": [_metres(n) for n in DATA["n"].to_pylist()],
    },
    "sums": {
        "g": ["u", "v", None],
        "total": [-1.67, 0.13, 90_000_000_000_000.16],
        "words": ["ABC12号楼|甲方有限公司", "x\ny", "a'b\\c%d_"],
    },
    "words": {"i": [1, 1, 1, 2], "word": ["a", "a", "b", "c"]},
    "newest": {"g": ["u", "v", None], "i": [1, 3, 5]},
    "as_of": {
        "i": [1, 2, 3, 4, 5],
        "d": [date(2024, 1, 31), None, date(2024, 2, 29), None, None],
        "n": [1, None, 12, None, None],
    },
    "descending": {"i": [5, 1, 3, 2, 4]},
}


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    with Engine(threads=1, memory="500MB") as engine:
        yield engine


def test_duckdb_gives_the_known_answers(engine: Engine) -> None:
    found = {name: engine.arrow(case).to_pydict() for name, case in cases(engine.memory(DATA)).items()}
    for name, columns in EXPECTED.items():
        for column, values in columns.items():
            assert found[name][column] == values, f"{name}.{column}"


def _no_spark() -> str:
    try:
        import pyspark  # noqa: F401
    except ImportError:
        return "pyspark is not installed (extra [spark])"
    return "" if shutil.which("java") or os.environ.get("JAVA_HOME") else "Java is not installed"


@pytest.mark.spark
@pytest.mark.filterwarnings("ignore")
def test_spark_gives_the_same_answers(engine: Engine, tmp_path: Path) -> None:
    missing = _no_spark()
    if missing:
        if os.environ.get("QIAOMEN_REQUIRE_SPARK") == "1":
            pytest.fail(missing)
        pytest.skip(f"not compared with Spark: {missing}")
    import ibis
    from pyspark.sql import SparkSession

    session = (
        SparkSession.builder.master("local[1]")
        .config("spark.ui.enabled", "false")
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.shuffle.partitions", "1")
        .config("spark.driver.memory", "1g")
        .config("spark.driver.bindAddress", "127.0.0.1")
        .config("spark.driver.host", "127.0.0.1")
        .config("spark.sql.warehouse.dir", str(tmp_path / "warehouse"))
        .getOrCreate()
    )
    try:
        backend = ibis.pyspark.connect(session)
        path = tmp_path / "data.parquet"
        pq.write_table(DATA, path)
        on_spark = cases(backend.read_parquet(str(path)))
        on_duckdb = cases(engine.memory(DATA))
        for name, case in on_spark.items():
            assert backend.to_pyarrow(case).to_pydict() == engine.arrow(on_duckdb[name]).to_pydict(), name
    finally:
        session.stop()


def _one(engine: Engine, make: Callable[[Any], Any], **columns: pa.Array) -> Any:
    table = engine.memory(pa.table(columns))
    return engine.arrow(table.select(x=make(table)))["x"][0].as_py()


days = st.dates(date(1900, 1, 1), date(2200, 1, 1))


@settings(max_examples=25, deadline=None)
@given(days, st.integers(-600, 600), days)
def test_months_follow_the_calendar(engine: Engine, start: date, months: int, other: date) -> None:
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    day = min(start.day, calendar.monthrange(year, month + 1)[1])
    columns = {"a": pa.array([start]), "b": pa.array([other])}
    assert _one(engine, lambda t: portable.add_months(t.a, months), **columns) == date(year, month + 1, day)
    between = _one(engine, lambda t: portable.months_between(t.a, t.b), **columns)
    back = _one(engine, lambda t: portable.months_between(t.b, t.a), **columns)
    assert between == -back
    assert _one(engine, lambda t: portable.add_days(t.a, (other - start).days), **columns) == other
    assert _one(engine, lambda t: portable.days_between(t.a, t.b), **columns) == (other - start) // timedelta(
        1
    )


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(-(10**14), 10**14), min_size=1, max_size=30), st.randoms())
def test_money_adds_up_exactly_in_any_order(engine: Engine, amounts: list[int], random: Any) -> None:
    shuffled = list(amounts)
    random.shuffle(shuffled)
    for order in (amounts, shuffled):
        table = engine.memory(pa.table({"m": pa.array([value / 100 for value in order], pa.float64())}))
        total = engine.arrow(table.aggregate(x=portable.money_sum(table.m)))["x"][0].as_py()
        assert round(total * 100) == pytest.approx(sum(amounts), abs=1)


@pytest.mark.parametrize(
    "pattern", ["a.b", r"\bword", r"(a)\1", "(?i)a", "(?=a)", r"a\s", "a$b", "a*+", r"\p{Han}", "(?P<x>a)"]
)
def test_patterns_that_engines_read_differently_are_refused(engine: Engine, pattern: str) -> None:
    table = engine.memory(DATA)
    with pytest.raises(ValueError, match="read differently"):
        portable.matches(table.s, pattern)


def test_odd_json_fields_and_group_references_are_refused(engine: Engine) -> None:
    table = engine.memory(DATA)
    with pytest.raises(ValueError, match="field"):
        portable.json_text(table.j, "a') --")
    with pytest.raises(ValueError, match="group"):
        portable.replace_pattern(table.s, "a", "$1")


def test_shares_are_even_and_stable() -> None:
    shares = [portable.share_of(f"lead-{number}") for number in range(4_000)]
    assert 0.09 < sum(share < 0.1 for share in shares) / 4_000 < 0.11
    assert portable.share_of("lead-1") == portable.share_of("lead-1")


FORBIDDEN = {
    "round": "portable.round_half_up",
    "re_search": "portable.matches",
    "re_extract": "portable.extract",
    "re_replace": "portable.replace_pattern",
    "re_split": "portable",
    "rlike": "portable.matches",
    "delta": "portable.days_between or months_between",
    "asof_join": "portable.as_of_join",
    "interval": "portable.add_days or add_months",
    "as_interval": "portable.add_days",
    "unwrap_as": "portable.json_text",
}
OTHER_LIBRARIES = {"np", "math", "pc", "numpy", "pa", "pd"}


def _detours(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, base = node.func.attr, node.func.value
        if isinstance(base, ast.Name) and base.id in OTHER_LIBRARIES:
            continue
        instead = FORBIDDEN.get(name)
        if name in {"cast", "try_cast"} and any(
            isinstance(argument, ast.Constant) and argument.value == "json" for argument in node.args
        ):
            instead = "portable.json_text"
        if instead:
            yield f"{path}:{node.lineno}: .{name}() – use {instead}"


def test_nothing_goes_around_the_portable_operations() -> None:
    root = Path(qiaomen.__file__).parent
    allowed = root / "store" / "portable.py"
    found = [line for path in sorted(root.rglob("*.py")) if path != allowed for line in _detours(path)]
    assert found == [], "\n".join(found)
