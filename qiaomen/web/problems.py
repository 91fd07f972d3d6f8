"""The only place that knows HTTP statuses: errors become RFC 9457 problems, or a page in Chinese. Never a traceback."""

from __future__ import annotations

import logging
import math
import secrets
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, RedirectResponse, Response
from sqlalchemy.exc import DataError
from starlette.exceptions import HTTPException

from qiaomen.store import is_disk_trouble
from qiaomen.vocab import (
    CatalogInvalid,
    Conflict,
    InputRejected,
    NotAllowed,
    NotFound,
    QiaomenError,
    Unavailable,
)
from qiaomen.web.rendering import render_plain
from qiaomen.web.security import headers_for

log = logging.getLogger(__name__)

STATUSES: Final[dict[type[QiaomenError], HTTPStatus]] = {
    InputRejected: HTTPStatus.UNPROCESSABLE_ENTITY,
    NotAllowed: HTTPStatus.FORBIDDEN,
    NotFound: HTTPStatus.NOT_FOUND,
    Conflict: HTTPStatus.CONFLICT,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    CatalogInvalid: HTTPStatus.INTERNAL_SERVER_ERROR,
}

ACCOUNT: Final = "/account"

TITLES: Final[dict[int, str]] = {
    400: "请求不完整",
    401: "请先登录",
    403: "没有权限",
    404: "没有找到",
    405: "不支持这样的操作",
    409: "现在不能这样办理",
    413: "文件太大",
    422: "输入有误",
    429: "操作太频繁",
    500: "系统出错",
    503: "暂时不可用",
}

REMEDIES: Final[dict[int, str]] = {
    403: "如确需办理，请联系上级管理员开通",
    404: "检查地址，或用顶部搜索查找",
    405: "返回上一页重试",
    500: "请把编号告诉系统管理员",
}


# How forms call their fields; any other is named as it is sent.
FIELDS: Final[Mapping[str, str]] = {
    "staff_no": "工号",
    "name": "姓名",
    "role": "岗位",
    "unit": "机构",
    "since": "起始日",
    "until": "截止日",
    "last_day": "最后一天",
    "capacity": "任务上限",
    "deputy": "代理人",
    "reason": "原因",
    "login": "登录名",
    "to": "去向",
    "others": "其他工号",
    "note": "结果",
    "amount_cny": "金额",
    "next_on": "下次回访",
    "page": "页码",
}


class SignInNeeded(Exception):
    """Nobody is signed in."""


class PasswordDue(Exception):
    """Who is signed in must change the password first."""


class TooManyCalls(Exception):
    """The caller must wait for some seconds."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = max(1, math.ceil(seconds))


def problem(status: int, detail: str, *, code: str, remedy: str = "", where: str = "") -> dict[str, Any]:
    """Build a problem document (RFC 9457)."""
    body: dict[str, Any] = {
        "type": f"urn:qiaomen:problem:{code}",
        "title": TITLES.get(status, HTTPStatus(status).phrase),
        "status": status,
        "detail": detail,
        "code": code,
    }
    if remedy:
        body["remedy"] = remedy
    if where:
        body["where"] = where
    return body


def wants_json(request: Request) -> bool:
    """Tell whether the caller is a machine or a script on a page."""
    return (
        request.url.path.startswith("/api/")
        or "hx-request" in request.headers
        or "x-script" in request.headers
    )


def answer(request: Request, body: dict[str, Any], headers: dict[str, str] | None = None) -> Response:
    """Send a problem as JSON or as a page."""
    status = int(body["status"])
    if wants_json(request):
        return JSONResponse(body, status, media_type="application/problem+json", headers=headers)
    remedy = body.get("remedy") or REMEDIES.get(status, "")
    return render_plain(
        request,
        "problem.html",
        status=status,
        headers=headers,
        problem={"where": "", **body, "remedy": remedy},
    )


def on_known(request: Request, error: Exception) -> Response:
    """Answer one of the product's own errors."""
    assert isinstance(error, QiaomenError)  # noqa: S101 - registered for this type only
    status = next(
        (value for kind, value in STATUSES.items() if isinstance(error, kind)),
        HTTPStatus.INTERNAL_SERVER_ERROR,
    )
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        log.error("request failed", extra={"code": error.code, "path": request.url.path})
    body = problem(int(status), error.message, code=error.code, remedy=error.remedy, where=error.where)
    return answer(request, body)


def on_sign_in(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Send a person to the login page and tell a machine to sign in."""
    if request.url.path.startswith("/api/"):
        body = problem(401, "需要登录或访问令牌", code="sign_in", remedy="带上 Authorization: Bearer 令牌")
        return answer(request, body, {"WWW-Authenticate": "Bearer"})
    if wants_json(request):
        return JSONResponse({}, 401, headers={"HX-Redirect": "/login"})
    back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    target = "/login" if back == "/" or request.method != "GET" else f"/login?next={quote(back)}"
    return RedirectResponse(target, HTTPStatus.SEE_OTHER)


def on_password_due(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Lead a person to the page that changes the password; a machine is told."""
    if request.url.path.startswith("/api/"):
        body = problem(403, "密码须先修改", code="password_due", remedy="登录网页修改密码后再试")
        return answer(request, body)
    if wants_json(request):
        return JSONResponse({}, 401, headers={"HX-Redirect": ACCOUNT})
    return RedirectResponse(ACCOUNT, HTTPStatus.SEE_OTHER)


def on_too_many(request: Request, error: Exception) -> Response:
    """Say when to come again."""
    assert isinstance(error, TooManyCalls)  # noqa: S101 - registered for this type only
    body = problem(429, "调用过于频繁", code="too_many_calls", remedy=f"{error.seconds} 秒后再试")
    return answer(request, body, {"Retry-After": str(error.seconds)})


def _fault(error: Mapping[str, Any]) -> str:
    """Say in Chinese what is wrong with a value; the checker's own words where none of ours fits."""
    kind, about = str(error["type"]), error.get("ctx") or {}
    if kind == "missing":
        return "没有填写"
    if kind == "string_too_long":
        return f"太长，最多 {about.get('max_length')} 个字"
    if kind == "string_too_short":
        return "没有填写"
    if kind in {"enum", "literal_error", "string_pattern_mismatch"}:
        return "不在可选值内"
    if kind in {"int_parsing", "int_type", "int_from_float", "float_parsing", "bool_parsing", "date_parsing"}:
        return "格式不对"
    if kind.startswith(("greater_than", "less_than")):
        return "超出范围"
    return f"不合规：{error['msg']}"


def on_invalid(request: Request, error: Exception) -> Response:
    """Name the first field that does not fit."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type only
    first = error.errors()[0]
    field = ".".join(str(part) for part in first["loc"][1:]) or "请求"
    detail = f"“{FIELDS.get(field, field)}”{_fault(first)}"
    return answer(request, problem(422, detail, code="input_rejected", remedy="改正后重试", where=field))


def on_http(request: Request, error: Exception) -> Response:
    """Answer the framework's own errors (no such page, wrong method)."""
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type only
    detail = TITLES.get(error.status_code, str(error.detail))
    return answer(request, problem(error.status_code, detail, code=f"http_{error.status_code}"))


def on_disk(request: Request, error: Exception) -> Response:
    """Say that a disk is full or read-only, without where it is; any other trouble of the system is unforeseen."""
    assert isinstance(error, OSError)  # noqa: S101 - registered for this type only
    if not is_disk_trouble(error):
        return on_unknown(request, error)
    log.error("disk full or not writable", extra={"path": request.url.path, "errno": error.errno})
    detail = "服务器磁盘空间不足或不可写，操作没有执行"
    return answer(request, problem(503, detail, code="unavailable", remedy="请系统管理员清理磁盘后重试"))


def on_unfit(request: Request, error: Exception) -> Response:
    """Refuse a value that the database cannot keep (NUL in a text, a number out of range); its words are not shown."""
    log.warning(
        "value refused by the database", extra={"path": request.url.path, "kind": type(error).__name__}
    )
    body = problem(422, "有内容无法保存", code="input_rejected", remedy="检查特殊字符与过大的数字后重试")
    return answer(request, body)


def on_unknown(request: Request, error: Exception) -> Response:
    """Log an unforeseen error under a number and show only that number."""
    number = secrets.token_hex(4)
    log.error("unforeseen error", exc_info=error, extra={"number": number, "path": request.url.path})
    # This answer is made outside the middleware that puts the headers on all others.
    body = problem(500, f"系统出错，编号 {number}", code="unforeseen", remedy=REMEDIES[500])
    return answer(request, body, headers_for(request.app.state.site.entrance.cookies.secure))


def install_problems(app: FastAPI) -> None:
    """Register the handlers."""
    app.add_exception_handler(SignInNeeded, on_sign_in)
    app.add_exception_handler(PasswordDue, on_password_due)
    app.add_exception_handler(TooManyCalls, on_too_many)
    app.add_exception_handler(QiaomenError, on_known)
    app.add_exception_handler(RequestValidationError, on_invalid)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(DataError, on_unfit)
    app.add_exception_handler(OSError, on_disk)
    app.add_exception_handler(Exception, on_unknown)
