"""The match index is the same however many names are worked on at once."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from benchmarks.made_registry import made_case
from qiaomen.registry import COMPANIES, COMPANY_NAMES, build_match_index
from qiaomen.registry import match_index as module
from qiaomen.registry.clusters import comparable_names


def _tables(count: int) -> tuple[pa.Table, pa.Table]:
    case = made_case(count, 10, 5)
    names = pa.array([*case.names[:-2], "***有限公司", ""], pa.string())
    ids, norm = pa.array(range(count), pa.int64()), comparable_names(names)
    same = {"company_id": ids, "name": names, "name_norm": norm}
    companies = COMPANIES.conform(pa.table({**same, "uscc": case.codes, "origin": ["registry"] * count}))
    return companies, COMPANY_NAMES.conform(pa.table({**same, "kind": ["legal"] * count}))


@pytest.mark.parametrize("at_once", [1, 7, 299, 300, 301])
def test_chunks_do_not_change_the_index(monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    companies, names = _tables(300)
    whole = build_match_index(companies, names)
    monkeypatch.setattr(module, "_AT_ONCE", at_once)
    parts = build_match_index(companies, names)
    assert set(parts) == set(whole)
    for name, array in whole.items():
        assert parts[name].dtype == array.dtype
        assert np.array_equal(parts[name], array), name


def test_a_masked_name_is_not_indexed_and_no_company_is_lost() -> None:
    companies, names = _tables(300)
    arrays = build_match_index(companies, names)
    assert len(arrays["company_id"]) == 300
    assert 298 not in arrays["entry_company"].tolist()


def test_an_empty_registry_gives_an_empty_index() -> None:
    companies, names = _tables(20)
    arrays = build_match_index(companies.slice(0, 0), names.slice(0, 0))
    assert len(arrays["company_id"]) == len(arrays["entry_company"]) == len(arrays["gram"]) == 0
