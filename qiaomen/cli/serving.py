"""``serve``: the page on one port, with one worker process beside it that ends with it.

Standard output gets one line, the address, once the page answers; everything else goes to standard error.
"""

from __future__ import annotations

import errno
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from qiaomen.cli.output import say
from qiaomen.vocab import InputRejected, Unavailable

if TYPE_CHECKING:
    from qiaomen.jobs import Workspace

BACKLOG: Final = 2048
TRIES: Final = 20
# A worker gives its job back and leaves within a moment; one that does not is ended.
PATIENCE_SECONDS: Final = 15.0


def serve_pages(workspace: Workspace, host: str, port: int, worker: bool) -> None:
    """Serve until stopped; ``Unavailable`` where the port is taken."""
    with open_port(host, port) as listener, _beside(workspace, worker):
        _serve(workspace, listener, lambda: _tell_of_users(workspace))


def _tell_of_users(workspace: Workspace) -> None:
    """Say how to make users where nobody can sign in yet."""
    from qiaomen.bank import has_administrator
    from qiaomen.store import reading

    with reading(workspace.sql) as connection:
        if not has_administrator(connection):
            say(
                "还没有可登录的用户。处理办法：qiaomen users create admin --name 姓名 --role administrator，"
                "再 qiaomen users create-for-staff --as admin --out 文件"
            )


def serve_demo(workspace: Workspace, port: int, ready: Callable[[], None]) -> None:
    """Serve the demo, on the next free port where the one asked for is taken; ``ready`` is called with the page up."""
    with _next_port("127.0.0.1", port) as listener, _beside(workspace, True):
        _serve(workspace, listener, ready)


def open_port(host: str, port: int) -> socket.socket:
    """Return a listening socket (0 is any free port); ``Unavailable`` for a taken port, ``InputRejected`` for a bad host."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except OSError as error:
        raise InputRejected(f"监听地址“{host}”无法识别", remedy="例如 127.0.0.1 或 0.0.0.0") from error
    listener = socket.socket(family, kind, protocol)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise _port_trouble(host, port, error) from error
    return listener


def _port_trouble(host: str, port: int, error: OSError) -> Exception:
    if error.errno == errno.EADDRINUSE:
        return PortTaken(
            f"端口 {port} 已被占用", remedy="换一个端口（--port 0 为任选空闲端口），或停掉占用它的程序"
        )
    if error.errno == errno.EACCES:
        return Unavailable(f"无权使用端口 {port}", remedy="改用 1024 以上的端口")
    return InputRejected(
        f"不能在 {host}:{port} 监听：{error.strerror}", remedy="改用本机的地址，例如 127.0.0.1"
    )


class PortTaken(Unavailable):
    """Another program listens on the port."""


def _next_port(host: str, port: int) -> socket.socket:
    for number in range(port, min(port + TRIES, 65535) + 1):
        try:
            return open_port(host, number)
        except PortTaken:
            say(f"端口 {number} 已被占用，改试下一个")
    return open_port(host, 0)


def _serve(workspace: Workspace, listener: socket.socket, ready: Callable[[], None]) -> None:
    import uvicorn

    from qiaomen.web import create_app

    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if not self.should_exit:
                sys.stdout.write(f"http://{shown}:{port}\n")
                sys.stdout.flush()
                ready()
                say("按 Ctrl-C 停止")

    _log_to_standard_error(workspace.settings.log_level)
    app = create_app(workspace)
    # Forwarded headers are the business of the application, which believes named proxies only.
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=5,
        proxy_headers=False,
        server_header=False,
    )
    server = Server(config)
    try:
        server.run(sockets=[listener])
    except KeyboardInterrupt:
        say("已停止")


def _log_to_standard_error(level: str) -> None:
    from qiaomen.logs import JsonFormatter

    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    for name in ("uvicorn.error", "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler] if name == "uvicorn" else []
        logger.setLevel(max(logging.getLevelName(level.upper()), logging.WARNING))


@contextmanager
def _beside(workspace: Workspace, wanted: bool) -> Iterator[None]:
    """Keep one worker process while the page is up."""
    if not wanted:
        yield
        return
    # Our own interpreter and arguments; no shell.
    process = subprocess.Popen(  # noqa: S603
        worker_command(workspace), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        _end(process)


def worker_command(workspace: Workspace) -> Sequence[str]:
    """Return the command of a worker that ends with this process."""
    root = str(workspace.root.resolve())
    return (sys.executable, "-m", "qiaomen", "--workspace", root, "work", "--beside", str(os.getpid()))


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(PATIENCE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
