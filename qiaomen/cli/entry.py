"""Runs the command line and turns errors into a message with a remedy and an exit code.

Exit 0 done, 1 failed, 2 refused input or usage. A traceback never reaches the user. With ``--json`` an error is one JSON
document on standard output too (``docs/cli/error.json``), beside the words on standard error.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, Final, NoReturn

import typer

from qiaomen.cli.output import json_wanted, print_json, say
from qiaomen.vocab import CatalogInvalid, InputRejected, NotAllowed, NotFound, QiaomenError

DONE: Final = 0
FAILED: Final = 1
REFUSED: Final = 2
REFUSALS: Final = (InputRejected, CatalogInvalid, NotAllowed, NotFound)
# Typer carries its own copy of the parser; only this class of it is public.
UsageError: Any = typer.BadParameter.__mro__[1]
INTERRUPTED: Final = 130
STOPPED: Final = "已停止；再次执行同一命令即可接着完成。"


def main() -> NoReturn:
    """Run the command line and leave with its exit code."""
    signal.signal(signal.SIGTERM, _interrupt)
    code = run_command(sys.argv[1:])
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _drop_output()
        code = FAILED
    sys.exit(code)


def run_command(arguments: list[str]) -> int:
    """Run one command and return its exit code; what went wrong has been said."""
    from qiaomen.cli.commands import app

    try:
        code = app(arguments, prog_name="qiaomen", standalone_mode=False)
    except QiaomenError as error:
        _explain(arguments, error.code, error.message, error.where, error.remedy, _details(error))
        say(f"错误：{error}")
        return REFUSED if isinstance(error, REFUSALS) else FAILED
    except UsageError as error:
        return _refuse_usage(arguments, error)
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except BrokenPipeError:
        _drop_output()
        return FAILED
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else FAILED
    except Exception as error:  # noqa: BLE001 - the last door before the user
        return _note(arguments, error)
    if code == INTERRUPTED:
        say(STOPPED)
        return FAILED
    return int(code or DONE)


def _interrupt(number: int, frame: object) -> None:  # noqa: ARG001
    raise KeyboardInterrupt


def _refuse_usage(arguments: list[str], error: Any) -> int:
    path = error.ctx.command_path if error.ctx is not None else "qiaomen"
    if type(error).__name__ == "NoArgsIsHelpError":
        say(error.format_message())
        return REFUSED
    from qiaomen.cli.usage import usage_message

    message = usage_message(error)
    remedy = f"执行 {path} --help 查看用法"
    _explain(arguments, "usage", message, "", remedy, {})
    say(f"用法有误：{message}。处理办法：{remedy}")
    return REFUSED


def _note(arguments: list[str], error: Exception) -> int:
    from qiaomen.cli.crash import note_crash

    message, remedy = f"内部错误：{type(error).__name__}", f"详情已写入 {note_crash(error)}，请附上该文件报告"
    _explain(arguments, "internal", message, "", remedy, {})
    say(f"{message}。{remedy}。")
    return FAILED


def _details(error: QiaomenError) -> dict[str, Any]:
    """Return what an error carries beyond its words: the position of a wrong expression, candidates of a name."""
    names = ("position", "nearest", "candidates")
    return {name: getattr(error, name) for name in names if getattr(error, name, None) is not None}


def _explain(
    arguments: list[str], code: str, message: str, where: str, remedy: str, details: dict[str, Any]
) -> None:
    if json_wanted(arguments):
        body = {"code": code, "message": message, "where": where, "remedy": remedy, **details}
        print_json({"error": body})


def _drop_output() -> None:
    # The reader of our output has gone; there is nobody to tell.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
