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
TIME_OF_DAY: Final = r"^$|^([01][0-9]|2[0-3]):[0-5][0-9]$"
# These variables steer tests and the choice of workspace; they are no settings.
OTHER_VARIABLES: Final = frozenset(
    {
        "QIAOMEN_WORKSPACE",
        "QIAOMEN_REAL_DATA",
        "QIAOMEN_TEST_POSTGRES",
        "QIAOMEN_REQUIRE_SPARK",
        "QIAOMEN_REQUIRE_BROWSER",
        "QIAOMEN_REQUIRE_POSTGRES",
        "QIAOMEN_REQUIRE_LDAP",
        "QIAOMEN_REQUIRE_MOUNT",
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
        description="life of a web session and its cookie / 登录会话与 Cookie 的时长（小时）",
    )
    secure_cookies: bool = Field(
        False,
        description="the page is served over HTTPS: cookies go over it only, browsers are told to keep to it / 以 HTTPS 提供服务：Cookie 仅经 HTTPS 发送，并启用 HSTS",
    )
    session_idle_minutes: int = Field(
        120, ge=5, le=1440, description="a session without use ends after / 登录会话闲置失效时间（分钟）"
    )
    public_url: str = Field(
        "",
        description="address that people type, e.g. https://qiaomen.bank.cn; needed for OIDC / 对外网址，单点登录必填",
    )
    web_hosts: tuple[str, ...] = Field(
        (),
        description="names by which the page may be called; empty is localhost and IP addresses / 允许的访问主机名，留空为本机与 IP 地址",
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="addresses or networks of proxies whose X-Forwarded-For and -Proto are believed / 可信反向代理的地址或网段",
    )
    api_calls_per_minute: int = Field(
        600,
        ge=1,
        le=1_000_000,
        description="API calls of one token or session per minute and web process / 每个令牌或会话每分钟的接口调用上限（每个网页进程分别计）",
    )
    token_days: int = Field(
        180, ge=1, le=366, description="longest life of an API token / 接口令牌最长有效期（天）"
    )
    local_sign_in: Literal["everyone", "administrators", "nobody"] = Field(
        "everyone", description="whose local passwords are admitted / 允许哪些人使用本地密码登录"
    )
    password_length: int = Field(12, ge=8, le=64, description="shortest local password / 本地密码最短长度")
    password_kinds: int = Field(
        1,
        ge=1,
        le=4,
        description="kinds of characters a password must mix (small, capital, digit, other) / 密码须含的字符种类数",
    )
    password_days: int = Field(
        90,
        ge=0,
        le=3650,
        description="a password must be changed after; 0 is never / 密码最长使用天数，0 为不限",
    )
    password_history: int = Field(
        5, ge=0, le=24, description="former passwords that may not return / 不得重复的历史密码个数"
    )
    first_password_hours: int = Field(
        72,
        ge=1,
        le=720,
        description="life of a password given by an administrator / 管理员发放的初始密码有效期（小时）",
    )
    lock_failures: int = Field(
        5, ge=1, le=100, description="failed sign-ins that lock a name / 同一登录名失败多少次后锁定"
    )
    lock_address_failures: int = Field(
        30, ge=1, le=10_000, description="failed sign-ins that lock an address / 同一来源地址失败多少次后锁定"
    )
    lock_minutes: int = Field(
        15, ge=1, le=1440, description="counting period and length of a lock / 计数周期与锁定时长（分钟）"
    )
    oidc_issuer: str = Field(
        "", description="OpenID Connect issuer; empty is off / 统一认证平台 issuer，留空为不启用"
    )
    oidc_name: str = Field("统一身份认证", description="words on the button / 登录按钮上的名称")
    oidc_client_id: str = Field("", description="our id at the provider / 在平台登记的 client_id")
    oidc_client_secret: str = Field("", description="our secret at the provider / 在平台登记的 client_secret")
    oidc_scopes: tuple[str, ...] = Field(("openid", "profile"), description="scopes asked for / 申请的 scope")
    oidc_claim: str = Field("preferred_username", description="claim that names the user / 标识用户的 claim")
    oidc_match: Literal["login", "staff_no"] = Field(
        "login", description="what the claim is compared with / claim 对应登录名还是工号"
    )
    oidc_require: tuple[str, ...] = Field(
        (), description="claim=value that a token must carry, e.g. groups=qiaomen / 凭证必须带有的 claim=值"
    )
    ldap_urls: tuple[str, ...] = Field(
        (),
        description="ldaps://host or ldap://host (STARTTLS), tried in turn; empty is off / 员工目录地址，依次尝试，留空为不启用",
    )
    ldap_base: str = Field("", description="where entries are searched / 搜索起点")
    ldap_filter: str = Field(
        "(uid={login})", description="finds one entry by {login} / 按 {login} 查找条目的过滤器"
    )
    ldap_attribute: str = Field("uid", description="attribute that names the user / 标识用户的属性")
    ldap_match: Literal["login", "staff_no"] = Field(
        "login", description="what the attribute is compared with / 属性对应登录名还是工号"
    )
    ldap_bind_dn: str = Field(
        "", description="account that searches; empty is anonymous / 搜索用服务账号，留空为匿名"
    )
    ldap_bind_password: str = Field("", description="its password / 服务账号密码")
    identity_ca_file: str = Field(
        "", description="PEM file of the bank's own authorities for OIDC and LDAP / 本行根证书文件（PEM）"
    )
    identity_timeout_s: float = Field(
        5.0,
        gt=0,
        le=60,
        description="longest wait for provider and directory / 等待认证平台与目录的最长时间（秒）",
    )
    least_group: int = Field(
        5,
        ge=1,
        le=1000,
        description="smallest number of other units' customers that is counted / 他机构客户不足该户数时，统计数不显示",
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
    webhook_secret: str = Field(
        "", description="key that signs webhooks both ways, 16 characters or more / 回调签名密钥（收发两用）"
    )
    webhook_secret_previous: str = Field(
        "", description="key before, while both sides change keys; empty is none / 轮换期间的旧密钥"
    )
    audit_key: str = Field(
        "",
        description="key that signs anchors of the audit log; empty is unsigned / 审计锚点的签名密钥，留空为不签",
    )
    daily_at: str = Field(
        "",
        pattern=TIME_OF_DAY,
        description="time of day when the inbox is loaded and a run is made, HH:MM; empty is off / 每日装载 inbox 并运行的时刻，留空为不自动运行",
    )
    digest_at: str = Field(
        "08:00",
        pattern=TIME_OF_DAY,
        description="time of day of digests; empty is off / 每日推送摘要的时刻，留空为关闭",
    )
    tidy_at: str = Field(
        "03:30",
        pattern=TIME_OF_DAY,
        description="time of day when what is no longer needed is removed; empty is off / 每日清理的时刻，留空为关闭",
    )
    recycle_minutes: int = Field(
        10,
        ge=1,
        le=1440,
        description="minutes between two looks for overdue tasks / 检查超时任务的间隔（分钟）",
    )
    keep_days: int = Field(
        90,
        ge=1,
        le=3650,
        description="days that ended jobs and sent messages are kept / 已结束作业与已发消息的保留天数",
    )
    keep_generations: int = Field(
        3, ge=1, le=1000, description="generations of the lake that are kept / 数据保留的代数"
    )
    metrics_token: str = Field(
        "",
        description="bearer token that /metrics asks for; empty is no /metrics / 读取 /metrics 所需的令牌，留空为关闭",
    )
    log_level: str = Field("INFO", description="DEBUG, INFO, WARNING or ERROR / 日志级别")

    @property
    def session_idle(self) -> timedelta:
        """How long a session lasts without use."""
        return timedelta(minutes=self.session_idle_minutes)

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
