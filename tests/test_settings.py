"""Settings: file, environment, refusal of what is unknown or wrong."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from qiaomen.settings import FILE_NAME, read_settings
from qiaomen.vocab import InputRejected


def test_environment_wins_over_file(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_text('bank_name = "甲银行"\nthreads = 3\n', encoding="utf-8")
    settings = read_settings(tmp_path, {"QIAOMEN_THREADS": "5", "PATH": "/bin"})
    assert (settings.bank_name, settings.threads) == ("甲银行", 5)


def test_lists_in_the_environment_are_comma_separated(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"QIAOMEN_EGRESS_HOSTS": "a.example,b.example"}).egress_hosts == (
        "a.example",
        "b.example",
    )


NOW = datetime(2026, 7, 1, 16, 30, tzinfo=UTC)


def test_today_is_the_day_of_the_business_zone(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {}).today(NOW) == date(2026, 7, 2)


def test_fixed_date_is_today(tmp_path: Path) -> None:
    assert read_settings(tmp_path, {"QIAOMEN_AS_OF": "2026-06-30"}).today(NOW) == date(2026, 6, 30)


@pytest.mark.parametrize(
    ("text", "environ", "word"),
    [
        ("bank = 1\n", {}, "bank"),
        ("threads = 0\n", {}, "threads"),
        ("threads = [\n", {}, "TOML"),
        ("", {"QIAOMEN_TREADS": "2"}, "QIAOMEN_TREADS"),
        ("", {"QIAOMEN_AS_OF": "2026-02-30"}, "as_of"),
    ],
)
def test_unknown_and_wrong_settings_are_refused(
    tmp_path: Path, text: str, environ: dict[str, str], word: str
) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(InputRejected, match=word):
        read_settings(tmp_path, environ)
