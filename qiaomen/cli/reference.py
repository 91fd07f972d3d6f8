"""Writes ``docs/cli/README.md`` from the commands themselves; a test keeps the file equal to it."""

from __future__ import annotations

from typing import Any, Final

import typer

ENGLISH: Final = {
    "init": "Make a workspace; `--demo` writes the made-up bank's input files into `inbox/`, nothing is loaded.",
    "load": "Load files. Every row lands, is a repeat, or is in `rejects` with file, line, column and reason.",
    "run": "Run every step from matching to tasks. Stopped anywhere, the same command finishes the work.",
    "match": "Match a customer list to a registry, both files, without a workspace; one row per `cid` with outcome and evidence.",
    "screen": "List the companies for which an expression is true, with what each condition rests on.",
    "company": "Everything about one company that the viewer may see: the record of page and API.",
    "reach": "The best paths from a company to the bank's customers, with wording and evidence.",
    "opportunities": "List opportunities; what only the bank's own books know stays within the viewer's scope.",
    "tasks": "List the tasks that the viewer may see.",
    "retention": "What each source holds, since when, and which rows are older than the source allows; `--delete --yes` deletes these.",
    "rejects": "List input rows that were not accepted.",
    "serve": "Serve the pages. Standard output gets one line, the address, once they answer.",
    "work": "Do queued jobs and the schedule of the settings, deliver the outbox, recycle overdue tasks.",
    "backup": "Write settings, overlay, the newest generation and every row to one file, while the system runs.",
    "restore": "Make the workspace of a backup at `--workspace`; everything is checked before it takes its place.",
    "upgrade": "Bring the database to the version of this program after a backup; there is no way back but that backup.",
    "hashes": "List the hash of every table's rows, to tell whether two workspaces say the same.",
    "outbox list": "Messages to the outside, without their content: by default the dead ones; and inbound ones that wait in vain.",
    "outbox requeue": "Send dead messages again under their old idempotency keys.",
    "outbox discard": "Give dead messages up, so that later ones of the same object go out.",
    "audit verify": "Check the chain of the audit log; exit code 1 where a row was deleted, altered, put in or moved.",
    "audit anchor": "Check, then append the chain's end to a file outside the database.",
    "audit list": "Rows of the audit log, newest first; for administrators.",
    "audit export": "Write the audit log as CSV; the export is noted too.",
    "staff list": "List the staff whom the viewer governs with their posts, and the deputies of the day.",
    "staff show": "One member of staff: posts of all time, delegations, hand-overs.",
    "staff add-post": "Enter a post; one person may hold several. By an administrator.",
    "staff end-post": "End a post; a post of the bank's list is not reopened by the list. By an administrator.",
    "staff deputy": "Let a colleague stand in: the principal's rows and tasks between two dates and only then.",
    "staff end-deputy": "End a delegation at once.",
    "staff hand-over": "All customers, open tasks and waiting asks of one manager to others; a preview without `--yes`.",
    "users list": "List users: login, role, locked or not, last sign-in. By an administrator, as all of `users`.",
    "users create": "Make one user; the password is shown this once. The first administrator is made without `--as`.",
    "users create-for-staff": "Make a user for every post in force that has none; passwords go to a file of the owner's.",
    "users reset": "Give a new random password, which must be changed at the next sign-in; ends the user's sessions.",
    "users unlock": "Lift the lock that failed sign-ins have put on a login.",
    "users disable": "Keep a user out and end the sessions.",
    "users enable": "Let a user in again.",
    "users sign-out": "End all sessions of a user.",
    "users unbind": "Let the next sign-in by provider or directory tie the user to an outside account anew.",
    "token create": "Make an API token for some actions, an institution and a time; it is shown this once.",
    "token list": "List tokens: actions, institution, end, last use; never the secret.",
    "token revoke": "End a token at once.",
    "demo": "init --demo, load, run, logins, serve; what is done already is left as it is.",
}
HEAD: Final = """# Command line / 命令行

`qiaomen --workspace DIR COMMAND`; the workspace may also be named by `QIAOMEN_WORKSPACE` (default `workspace`).
工作区用 `--workspace` 或环境变量 `QIAOMEN_WORKSPACE` 指定，默认为当前目录下的 `workspace`。

| exit code / 退出码 | meaning / 含义 |
| --- | --- |
| 0 | done / 完成（有被拒行也是 0，除非 `load --strict`） |
| 1 | failed, or stopped by a signal / 失败，或被信号停止 |
| 2 | refused: input, rights or usage / 拒绝：输入、权限或用法有误 |

With `--json` standard output holds exactly one JSON document, as declared in `<command>.json` here; an error is one too
(`error.json`). Progress, hints and errors go to standard error. Reading commands take `--as USER`; without it the viewer is
the workspace's local analyst. Every look and every export is in the audit log.
加 `--json` 时标准输出只有一个 JSON 文档，格式见本目录同名文件；出错时为 `error.json`。进度、提示与错误都在标准错误。
读取类命令可用 `--as USER` 以某位用户的权限查看，默认是本机分析师；每次查看与导出都记入审计日志。

KEY is a credit code, a company number or a name; where it means several companies they are listed and the exit code is 2.
KEY 为统一社会信用代码、企业编号或名称；对应多家时列出候选，退出码 2。
"""


def reference_page(app: typer.Typer) -> str:
    """Return the text of the page: every command with its arguments and options."""
    parts = [HEAD]
    for name, command in commands_of(app).items():
        usage = " ".join(["qiaomen", name, *(_usage(parameter) for parameter in _shown(command))])
        parts.append(f"## {name}\n\n{command.help}\n{ENGLISH[name]}\n\n```\n{usage}\n```\n")
        rows = [_row(parameter) for parameter in _shown(command)]
        if rows:
            head = "| argument, option / 参数、选项 | default / 默认 | meaning / 含义 |\n| --- | --- | --- |"
            parts.append("\n".join([head, *rows]) + "\n")
        if any("--json" in parameter.opts for parameter in command.params):
            document = name.replace(" ", "-")
            parts.append(f"JSON: [{document}.json]({document}.json)\n")
    return "\n".join(parts)


def commands_of(app: typer.Typer) -> dict[str, Any]:
    """Return every command by the words that call it; a group stands for its commands."""
    found: dict[str, Any] = {}
    group: Any = typer.main.get_command(app)
    for name, command in group.commands.items():
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            found |= {f"{name} {own}": part for own, part in inner.items()}
    return found


def _shown(command: Any) -> list[Any]:
    return [
        parameter
        for parameter in command.params
        if not getattr(parameter, "hidden", False) and parameter.name != "help"
    ]


def _usage(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        name = parameter.name.upper() + ("..." if parameter.nargs == -1 else "")
        return name if parameter.required else f"[{name}]"
    return f"[{parameter.opts[-1]}]" if parameter.is_flag else f"[{parameter.opts[-1]} {_value(parameter)}]"


def _value(parameter: Any) -> str:
    return str(parameter.metavar or parameter.name.upper())


def _row(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"| `{parameter.name.upper()}` | | {parameter.help or ''} |"
    names = " / ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    default = parameter.default
    plain = default is None or default == "" or default is False
    shown = "" if plain else f"`{'on' if default is True else default}`"
    return f"| {names} | {shown} | {parameter.help or ''} |"
