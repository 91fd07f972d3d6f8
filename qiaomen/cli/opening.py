"""What reading commands open first: the newest generation with results, its date, names of institutions, one company."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from qiaomen.vocab import InputRejected

if TYPE_CHECKING:
    from qiaomen.bank import Viewer
    from qiaomen.jobs import Workspace
    from qiaomen.reports import CompanyChoice
    from qiaomen.store import Snapshot


# The search behind a name gives no more than these.
MOST_CHOICES: Final = 20


class Ambiguous(InputRejected):
    """A key means several companies; ``candidates`` are their records."""

    def __init__(self, key: str, choices: tuple[CompanyChoice, ...]) -> None:
        more = "或更多" if len(choices) >= MOST_CHOICES else ""
        super().__init__(
            f"“{key}”对应 {len(choices)} 家{more}企业", remedy="改用上面的企业编号或统一社会信用代码再执行"
        )
        self.candidates = [choice.model_dump(mode="json") for choice in choices]


def with_results(workspace: Workspace) -> Snapshot:
    """Return the newest generation; ``InputRejected`` before the first run."""
    snapshot = workspace.lake.snapshot()
    if not snapshot.has("companies"):
        raise InputRejected("还没有运行结果", remedy="先执行 qiaomen load 装载文件，再执行 qiaomen run")
    return snapshot


def of_generation(snapshot: Snapshot) -> dict[str, Any]:
    """Return what every document says first: generation and business date."""
    as_of = snapshot.note.get("as_of")
    return {"generation": snapshot.number, "as_of": str(as_of) if as_of else None}


def institution_words(workspace: Workspace) -> dict[str, str]:
    """Return the name of every institution by code."""
    from qiaomen.bank import institution_names
    from qiaomen.store import reading

    with reading(workspace.sql) as connection:
        return institution_names(connection)


def one_company(viewer: Viewer, snapshot: Snapshot, key: str) -> CompanyChoice:
    """Return the company that a key means (credit code, number or name); ``Ambiguous`` for several, shown first."""
    from qiaomen.cli.output import say
    from qiaomen.reports import FileReads, find_company

    choices = find_company(viewer, FileReads(snapshot), key)
    if len(choices) > 1:
        for choice in choices:
            ours = "存量客户" if choice.is_customer else "潜客"
            say(
                f"  {choice.company_id}  {choice.uscc or '（无代码）'}  {choice.name}  {choice.region}  {ours}"
            )
        raise Ambiguous(key, choices)
    return choices[0]
