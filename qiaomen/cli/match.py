"""The command ``qiaomen match``: a customer list against a registry, both files, without a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from qiaomen.cli.options import Json
from qiaomen.cli.output import print_json, print_table


def match(
    registry: Annotated[
        Path, typer.Option("--registry", help="登记企业：rid、name、uscc；CSV、XLSX 或 Parquet")
    ],
    customers: Annotated[Path, typer.Option("--customers", help="客户名单：cid、name、uscc，其余列不读")],
    out: Annotated[Path, typer.Option("--out", help="结果文件，.csv 或 .parquet；每个 cid 一行")],
    former: Annotated[Path | None, typer.Option("--former-names", help="曾用名：rid、old")] = None,
    candidates: Annotated[
        Path | None,
        typer.Option("--candidates", metavar="FILE", help="候选文件：cid、rank、rid、probability"),
    ] = None,
    index: Annotated[
        Path | None, typer.Option("--index", metavar="FOLDER", help="索引存放处；文件没变时下次直接使用")
    ] = None,
    as_json: Json = False,
) -> None:
    """匹配两个文件，不需要工作区：每行得出 matched、verified、ambiguous 或 unmatched，附概率与依据。"""
    from qiaomen.cli.progress import watched
    from qiaomen.registry import match_files
    from qiaomen.vocab import OUTCOME_LABELS, MatchOutcome

    with watched("匹配") as observer:
        done = match_files(
            registry, customers, out, former=former, candidates=candidates, index=index, tell=observer
        )
    counts = {outcome.value: done.outcomes.get(outcome.value, 0) for outcome in MatchOutcome}
    if as_json:
        print_json(
            {
                "rows": done.rows,
                **counts,
                "companies": done.companies,
                "names": done.names,
                "index_reused": done.index_reused,
                "out": str(out),
                "candidates": str(candidates) if candidates else None,
            }
        )
        return
    rows = [
        (f"{OUTCOME_LABELS[name]}（{name}）", f"{count:,}", f"{count / max(done.rows, 1):.1%}")
        for name, count in counts.items()
    ]
    note = f"{done.rows:,} 行，对照 {done.companies:,} 家企业的 {done.names:,} 个名称；结果：{out}"
    print_table("匹配结果", ("结果", "行数", "占比"), rows, note=note)
