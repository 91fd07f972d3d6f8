"""Suppliers and buyers counted straight from the invoice file by plain SQL, beside the product's own way."""

from __future__ import annotations

from pathlib import Path

import duckdb

from tests.real.made_up_bank import AS_OF

MONTHS = 24

# One line per invoice row, with the row's repeats numbered. Names of the parties as the product refers to them.
ROWS = """
create table rows as
select
    case when 方向 = '进项' then 'invoice:' || 样本组 || '/' || 对方单位代号
         else 'invoice:' || 样本组 || '/' || 企业代号 end as supplier,
    case when 方向 = '进项' then 'invoice:' || 样本组 || '/' || 企业代号
         else 'invoice:' || 样本组 || '/' || 对方单位代号 end as buyer,
    strptime(开票日期, '%Y/%m/%d')::date as traded_on,
    round(金额::double * 100)::bigint as fen,
    trim(发票状态) as status,
    row_number() over (partition by 样本组, 企业代号, 方向, 发票号码, 开票日期, 对方单位代号, 金额, 税额, 价税合计, 发票状态)
        as copy
from read_parquet($file)
"""


def count_invoices(data: Path) -> duckdb.DuckDBPyConnection:
    """Return a database with ``rows``, ``counts`` (one row) and ``pairs`` of the last 24 months before the newest trade."""
    sql = duckdb.connect(config={"threads": 2, "memory_limit": "1GB"})
    sql.execute(ROWS, {"file": str(data / "invoice" / "invoice.parquet")})
    newest = sql.execute(
        "select max(traded_on) from rows where status <> '作废发票' and traded_on <= $day", {"day": AS_OF}
    ).fetchone()
    assert newest is not None
    sql.execute(
        f"create table live as select * from rows where traded_on <= $newest "
        f"and traded_on > $newest::date - interval {MONTHS} month",
        {"newest": newest[0]},
    )
    sql.execute(
        """
        create table counts as select
            (select count(*) from rows) as read,
            (select count(*) from rows) - count(*) as outside,
            count(*) filter (status = '作废发票') as void,
            count(*) filter (status <> '作废发票' and copy > 1) as repeated,
            count(*) filter (status <> '作废发票' and copy = 1 and fen < 0) as red,
            count(*) filter (status <> '作废发票' and copy = 1) as kept
        from live
        """
    )
    sql.execute(
        """
        create table pairs as
        select supplier, buyer, sum(fen) as fen, count(*) filter (fen >= 0) as documents
        from live where status <> '作废发票' and copy = 1 group by all
        """
    )
    return sql
