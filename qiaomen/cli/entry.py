"""Runs the command line and turns errors into a message with a remedy and an exit code.

Exit 0 done, 1 failed, 2 refused input or usage. A traceback never reaches the user.
"""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from qiaomen.cli.output import say
from qiaomen.vocab import CatalogInvalid, InputRejected, NotFound, QiaomenError

REFUSED = (InputRejected, CatalogInvalid, NotFound)


def main() -> NoReturn:
    """Run the command line."""
    from qiaomen.cli.commands import app

    try:
        app(standalone_mode=True)
    except QiaomenError as error:
        say(f"错误：{error}")
        sys.exit(2 if isinstance(error, REFUSED) else 1)
    except KeyboardInterrupt:
        say("已停止；再次执行同一命令即可接着完成。")
        sys.exit(1)
    except BrokenPipeError:
        # The reader of our output has gone; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:  # noqa: BLE001 - the last door before the user
        from qiaomen.cli.crash import note_crash

        say(f"内部错误：{type(error).__name__}。详情已写入 {note_crash(error)}，请附上该文件报告。")
        sys.exit(1)
    sys.exit(0)
