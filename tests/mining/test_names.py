import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from qiaomen.mining import flatten
from qiaomen.mining.names import NameIndex


def names(*rows: tuple[int, str, str]) -> pa.Table:
    return pa.table(
        {
            "company_id": pa.array([row[0] for row in rows], pa.int64()),
            "name": pa.array([row[1] for row in rows], pa.string()),
            "kind": pa.array([row[2] for row in rows], pa.string()),
        }
    )


def found(text: str, *rows: tuple[int, str, str]) -> list[tuple[str, tuple[int, ...]]]:
    flat = flatten(text)
    return [(mention.name, mention.company_ids) for mention in NameIndex(names(*rows), [flat]).find(flat)]


def test_the_longest_name_wins_and_brackets_do_not_matter() -> None:
    rows = ((1, "华信科技", "short"), (2, "华信科技（上海）有限公司", "legal"))
    assert found("日前华信科技(上海)有限公司中标", *rows) == [("华信科技(上海)有限公司", (2,))]
    assert found("日前华信科技中标", *rows) == [("华信科技", (1,))]


def test_a_short_name_is_not_the_beginning_of_another_company() -> None:
    assert found("机器人产业研究院有限公司中标", (1, "机器人", "short"))[0][1] == ()
    assert found("机器人与甲乙丙实业有限公司签约", (1, "机器人", "short"))[0] == ("机器人", (1,))


def test_a_place_is_not_a_company() -> None:
    assert found("鄂尔多斯市人民政府与鄂尔多斯签约", (1, "鄂尔多斯", "short")) == [("鄂尔多斯", (1,))]


def test_a_name_shared_by_two_companies_keeps_both() -> None:
    assert found("华信科技中标", (1, "华信科技", "short"), (2, "华信科技", "short")) == [("华信科技", (1, 2))]


def test_an_unknown_registered_name_is_found_without_an_id() -> None:
    assert found("近日，公司全资子公司宁波北仑远洋物流有限公司中标某项目") == [
        ("宁波北仑远洋物流有限公司", ())
    ]


NAME = st.text(alphabet="甲乙丙丁戊", min_size=3, max_size=6)


@given(st.lists(NAME, min_size=1, max_size=6, unique=True), st.text(alphabet="甲乙丙丁戊，。", max_size=60))
def test_against_a_plain_search(words: list[str], text: str) -> None:
    rows = [(number, word, "legal") for number, word in enumerate(words)]
    expected = []
    position = 0
    while position < len(text):
        fitting = [word for word in words if text.startswith(word, position)]
        if fitting:
            expected.append((position, max(fitting, key=len)))
            position += len(expected[-1][1])
        else:
            position += 1
    mentions = NameIndex(names(*rows), [text]).find(text)
    assert [(mention.start, mention.name) for mention in mentions] == expected
