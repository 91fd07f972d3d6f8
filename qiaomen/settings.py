"""Settings: read once at entry from the workspace's ``qiaomen.toml`` and the environment, then passed down as values.

The environment (``QIAOMEN_<NAME>``) wins over the file. Unknown keys are refused. Every key is in ``docs/settings.md``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from qiaomen.vocab import InputRejected

FILE_NAME: Final = "qiaomen.toml"
PREFIX: Final = "QIAOMEN_"
# These variables steer tests and the choice of workspace; they are no settings.
OTHER_VARIABLES: Final = frozenset(
    {
        "QIAOMEN_WORKSPACE",
        "QIAOMEN_REAL_DATA",
        "QIAOMEN_TEST_POSTGRES",
        "QIAOMEN_REQUIRE_SPARK",
        "QIAOMEN_REQUIRE_BROWSER",
        "QIAOMEN_REQUIRE_POSTGRES",
        "QIAOMEN_DEMO_WORKSPACE",
    }
)


class Settings(BaseModel):
    """All settings with their defaults; the descriptions are the documentation."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bank_name: str = Field("示范银行", description="bank's name shown on every page / 页面上显示的银行名称")
    as_of: date | None = Field(
        None, description="fixed business date; empty means today in time_zone / 固定业务日期，留空为当日"
    )
    time_zone: str = Field("Asia/Shanghai", description="zone of business dates / 业务日期的时区")
    database_url: str = Field(
        "",
        description="SQLAlchemy URL of the operational store; empty is SQLite in the workspace / 任务库地址，留空为 SQLite",
    )
    threads: int = Field(2, ge=1, le=256, description="threads of the analytical engine / 分析引擎线程数")
    memory: str = Field("1GB", description="memory limit of the analytical engine / 分析引擎内存上限")
    overlay: str = Field(
        "overlay",
        description="folder of the bank's own catalogue rows, relative to the workspace / 本行目录覆盖文件夹",
    )
    core_rule: str = Field(
        "default",
        description="row of the catalogue core_rules that judges supply / 供应链判定规则（core_rules 目录的代码）",
    )
    dispatch_mode: Literal["automatic", "confirm"] = Field(
        "automatic",
        description="automatic: a run makes tasks of its leads; confirm: leads wait for staff on the dispatch page / 下发方式：automatic 运行后自动生成任务，confirm 由人员在下发页确认后才生成",
    )
    demo_logins: bool = Field(
        False,
        description="make a login for every post of staff at the run and print it / 运行时为员工建立演示账号",
    )
    session_hours: int = Field(
        12,
        ge=1,
        le=168,
        description="life of a web session and its cookie; 2 idle hours end it too / 登录会话与 Cookie 的时长（小时），闲置 2 小时也会失效",
    )
    secure_cookies: bool = Field(
        False, description="send session cookies over HTTPS only / 仅通过 HTTPS 发送会话 Cookie"
    )
    upload_megabytes: int = Field(64, ge=1, le=2048, description="largest upload / 上传文件大小上限（MB）")
    egress_hosts: tuple[str, ...] = Field(
        (),
        description="hosts that may be called (push, OIDC, LDAP); empty is none / 允许访问的外部主机（推送、单点登录等），留空为不外联",
    )
    egress_private: bool = Field(
        False, description="let calls reach all private and loopback addresses / 允许访问全部内网与本机地址"
    )
    egress_networks: tuple[str, ...] = Field(
        (),
        description="inside networks (CIDR) that calls may reach, such as 10.1.0.0/16 / 允许访问的内网网段",
    )
    webhook_url: str = Field(
        "", description="CRM webhook for task changes; empty is off / CRM 回调地址，留空为不推送"
    )
    webhook_secret: str = Field("", description="key that signs webhooks / 回调签名密钥")
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR / 日志级别")

    @property
    def session_life(self) -> timedelta:
        """How long a session lasts, at the server and in the cookie alike."""
        return timedelta(hours=self.session_hours)

    def today(self, now: datetime) -> date:
        """Return the business date: ``as_of`` where it is fixed, else the day of ``now`` in ``time_zone``."""
        return self.as_of or now.astimezone(ZoneInfo(self.time_zone)).date()


def read_settings(workspace: Path, environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings of a workspace; ``InputRejected`` names the key that is wrong."""
    path = workspace / FILE_NAME
    values: dict[str, Any] = {}
    if path.exists():
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputRejected(
                f"配置文件无法读取：{error}", where=str(path), remedy="改正 TOML 语法"
            ) from error
    values.update(_from_environment(os.environ if environ is None else environ))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise InputRejected(
            f"设置项“{key}”不合规：{first['msg']}", where=str(path), remedy="对照 docs/settings.md 改正"
        ) from error


def _from_environment(environ: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for variable, text in environ.items():
        if not variable.startswith(PREFIX) or variable in OTHER_VARIABLES:
            continue
        key = variable.removeprefix(PREFIX).lower()
        field = Settings.model_fields.get(key)
        if field is None:
            raise InputRejected(
                f"未知的环境变量 {variable}", remedy="对照 docs/settings.md 改正，或取消该变量"
            )
        values[key] = (
            [part for part in text.split(",") if part] if field.annotation == tuple[str, ...] else text
        )
    return values


def settings_page() -> str:
    """Return the text of ``docs/settings.md`` (a test keeps the file equal to it)."""
    lines = [
        "# Settings / 设置",
        "",
        f"Read once at entry from `{FILE_NAME}` in the workspace; an environment variable `{PREFIX}<NAME>` wins.",
        "Unknown keys are refused. / 入口处读取一次；环境变量优先；未知的键会被拒绝。",
        "",
        "| key | default | meaning |",
        "| --- | --- | --- |",
    ]
    for name, field in Settings.model_fields.items():
        lines.append(f"| `{name}` | `{field.default!r}` | {field.description} |")
    return "\n".join(lines) + "\n"
