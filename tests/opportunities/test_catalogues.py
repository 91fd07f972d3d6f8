from pathlib import Path

import pytest

from qiaomen.opportunities import load_grading, load_kinds, load_signal_products, products_for
from qiaomen.scoring import load_products
from qiaomen.vocab import CatalogInvalid


def test_every_need_suggests_a_product_or_says_that_none_fits() -> None:
    products = load_signal_products()
    for code, kind in load_kinds().items():
        for role in kind.role_needs:
            for need in role.needs:
                suggested = products_for(products, code, role.role, str(need))
                assert (
                    suggested
                    or products.get((code, "", str(need)), products.get((code, role.role, str(need)))) == ()
                )


def test_every_product_is_one_of_the_banks() -> None:
    known = set(load_products())
    assert {code for codes in load_signal_products().values() for code in codes} <= known


@pytest.mark.parametrize(
    "row",
    ["x,credit,no_kind,,zcd", "x,credit,gov_bid_won,路人,zcd", "x,luck,,,zcd", "x,credit,,,ldzj"],
)
def test_a_bad_product_row_is_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "signal_products.csv").write_text(
        f"code,signal,kind,role,products\n{row}\n", encoding="utf-8"
    )
    with pytest.raises(CatalogInvalid):
        load_signal_products(tmp_path)


@pytest.mark.parametrize("row", ["high,0.5,0.6", "low,0.35,0.1", "medium,0.9,0.7"])
def test_thresholds_out_of_order_are_refused(tmp_path: Path, row: str) -> None:
    (tmp_path / "opportunity_grades.csv").write_text(f"code,base,at_least\n{row}\n", encoding="utf-8")
    with pytest.raises(CatalogInvalid):
        load_grading(tmp_path)
