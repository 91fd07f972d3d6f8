"""``company`` and ``reach``: one company in full, and the paths from it to the bank's customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from qiaomen.cli.opening import institution_words, of_generation, one_company, with_results
from qiaomen.cli.output import print_json, print_table
from qiaomen.vocab import NotFound

if TYPE_CHECKING:
    from qiaomen.bank import Viewer
    from qiaomen.jobs import Workspace
    from qiaomen.reach import Path
    from qiaomen.reports import CompanyProfile, Line
    from qiaomen.store import Snapshot

LIGHTS = {"green": "绿灯", "amber": "黄灯", "red": "红灯"}


def show_company(workspace: Workspace, viewer: Viewer, key: str, as_json: bool) -> None:
    """Print the profile of one company: the record that page and interface show too."""
    from qiaomen.bank import institution_names, staff_names
    from qiaomen.jobs import note_look
    from qiaomen.reports import FileReads, company_profile, load_words
    from qiaomen.store import reading

    snapshot = with_results(workspace)
    choice = one_company(viewer, snapshot, key)
    note_look(workspace, viewer, "read.company", f"company:{choice.company_id}", snapshot.number)
    with reading(workspace.sql) as connection:
        words = load_words(workspace.overlay, institution_names(connection), staff_names(connection))
        profile = company_profile(viewer, FileReads(snapshot), choice.company_id, words, connection)
    if as_json:
        print_json(profile.model_dump(mode="json"))
        return
    _print_profile(profile)


def _print_profile(profile: CompanyProfile) -> None:
    from qiaomen.reports import money
    from qiaomen.vocab import TIER_LABELS

    head = profile.head
    facts = [
        ("企业编号", head.company_id),
        ("统一社会信用代码", head.uscc),
        ("准入", LIGHTS[head.light] + "".join(f"；{line.text}" for line in head.grounds)),
        ("客户", head.customer.shown_as if head.customer else "潜客"),
        ("分层", TIER_LABELS.get(head.tier or "", "未评分")),
        ("营销优先级", None if head.priority is None else f"{head.priority:.1f}"),
        ("登记状态", head.status),
        ("成立日期", head.founded_on),
        ("注册资本", money(head.capital_cny)),
        ("法定代表人", head.legal_representative),
        ("行业", head.industry),
        ("地址", head.address or head.region),
        ("一句话", profile.verdict),
    ]
    print_table(head.name, ("项目", "内容"), ((name, value) for name, value in facts if value is not None))
    if profile.contacts:
        rows = (
            (
                c.kind,
                "已拒绝联系" if c.opted_out else c.value,
                c.person,
                c.post,
                c.source,
                c.basis,
                c.collected_on,
            )
            for c in profile.contacts
        )
        header = ("种类", "联系方式", "联系人", "职务", "来源", "处理依据", "取得日期")
        print_table("联系方式", header, rows)
    for title, lines in _sections(profile):
        if lines:
            told = ((line.on or "", line.text, line.evidence) for line in lines)
            print_table(title, ("日期", "内容", "依据"), told)
    print_table(
        "数据", ("来源", "截至", "条数"), ((d.source, d.observed_on, d.records) for d in profile.data_dates)
    )
    print_table("说明", ("内容",), ((profile.notice,),))


def _sections(profile: CompanyProfile) -> list[tuple[str, list[Line]]]:
    from qiaomen.reports import Line, money

    products = [
        Line(text=f"{fit.rank}. {fit.name}：{fit.reason}", evidence="；".join(fit.missing), kind="product")
        for fit in profile.products
    ]
    ways = [Line(text=way.wording, evidence=f"温度 {way.warmth:.4g}", kind="way") for way in profile.ways_in]
    trades = [
        Line(text=f"{side} {trade.name} {money(trade.amount_cny)}", evidence=trade.evidence, on=trade.last_on)
        for side, rows in (("供应商", profile.suppliers), ("下游客户", profile.buyers))
        for trade in rows
    ]
    named = (
        ("时间线", "timeline"),
        ("本行往来", "dealings"),
        ("他行踪迹", "traces_elsewhere"),
        ("产业链", "chains"),
        ("产品", "goods"),
        ("园区", "parks"),
        ("标签", "tags"),
        ("股东", "holders"),
        ("对外投资", "holdings"),
        ("任职", "officers"),
        ("关联", "group"),
        ("疑似关联", "suspected"),
        ("风险", "risks"),
        ("营销记录", "marketing"),
        ("各来源不一致", "conflicts"),
        ("名称", "names"),
    )
    rest = [(title, list(getattr(profile, name))) for title, name in named]
    return [
        ("可提供的产品（依据栏为尚缺条件）", products),
        ("敲门线索", ways),
        *rest[:3],
        ("供应链", trades),
        *rest[3:],
    ]


def show_reach(
    workspace: Workspace,
    viewer: Viewer,
    key: str,
    k: int,
    mode: Literal["best", "diverse"],
    as_json: bool,
) -> None:
    """Print the best paths from a company to customers as the viewer may see them."""
    from qiaomen.jobs import note_look
    from qiaomen.reach import explain, load_wording, to_record, word_path

    snapshot = with_results(workspace)
    choice = one_company(viewer, snapshot, key)
    note_look(workspace, viewer, "read.reach", f"company:{choice.company_id}", snapshot.number)
    paths = _seen_paths(workspace, viewer, snapshot, choice.company_id, k, mode)
    wording = load_wording(workspace.overlay)
    if as_json:
        print_json(
            {
                **of_generation(snapshot),
                "company": choice.model_dump(mode="json"),
                "mode": mode,
                "k": k,
                "paths": [
                    {
                        **to_record(path),
                        "wording": word_path(path, wording),
                        "explanation": explain(path, wording),
                    }
                    for path in paths
                ],
            }
        )
        return
    rows: list[tuple[Any, ...]] = [
        (rank, f"{path.warmth:.4g}", word_path(path, wording), "\n".join(explain(path, wording)))
        for rank, path in enumerate(paths, 1)
    ]
    note = "" if paths else f"{choice.name}没有通往存量客户的路径"
    print_table(f"触达路径：{choice.name}", ("序", "温度", "话术", "每一跳与依据"), rows, note=note)


def _seen_paths(
    workspace: Workspace,
    viewer: Viewer,
    snapshot: Snapshot,
    company_id: int,
    k: int,
    mode: Literal["best", "diverse"],
) -> list[Path]:
    """Return paths with customers outside the viewer's scope concealed; none where the company has no relations."""
    from qiaomen.chains import COMPANY_GOODS, COMPANY_NODES
    from qiaomen.customers import CUSTOMERS
    from qiaomen.graph import Graph
    from qiaomen.reach import Reaching, Statements, conceal_path, concealment, find_paths, load_warmth
    from qiaomen.registry import COMPANIES, PERSONS, RELATIONS
    from qiaomen.supply import SUPPLY_PAIRS

    reaching = Reaching.open(Graph.open(snapshot.arrays("graph")), snapshot.arrays("reaching"))
    pointed = (RELATIONS, SUPPLY_PAIRS, COMPANY_NODES, COMPANY_GOODS)
    statements = Statements(
        snapshot.arrow(COMPANIES),
        snapshot.arrow(PERSONS),
        {table.name: snapshot.arrow(table) for table in pointed},
    )
    try:
        found = find_paths(
            reaching, company_id, statements, k=k, mode=mode, warmth=load_warmth(workspace.overlay)
        )
    except NotFound:
        return []
    hide = concealment(viewer, snapshot.arrow(CUSTOMERS), institution_words(workspace))
    return [conceal_path(path, hide) for path in found]
