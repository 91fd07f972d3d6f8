"""The words with one meaning each: enums and their Chinese labels (``docs/terms.md`` carries them)."""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class LawfulBasis(StrEnum):
    """Grounds on which personal information may be used: 个人信息保护法 (2021) article 13, items 1 to 7."""

    CONSENT = "consent"
    CONTRACT = "contract"
    DUTY = "duty"
    EMERGENCY = "emergency"
    NEWS = "news"
    DISCLOSED = "disclosed"
    OTHER_LAW = "other_law"


BASIS_LABELS: Final[dict[str, str]] = {
    "consent": "取得个人的同意（第一项）",
    "contract": "为订立、履行个人作为一方当事人的合同或者依法实施人力资源管理所必需（第二项）",
    "duty": "为履行法定职责或者法定义务所必需（第三项）",
    "emergency": "应对突发公共卫生事件或者紧急情况下保护生命健康和财产安全所必需（第四项）",
    "news": "为公共利益实施新闻报道、舆论监督，在合理范围内（第五项）",
    "disclosed": "在合理范围内处理个人自行公开或者其他已经合法公开的信息（第六项）",
    "other_law": "法律、行政法规规定的其他情形（第七项）",
}


class RelationKind(StrEnum):
    """Kinds of relation; the first eight are the declared kinds, the rest structural or suspected."""

    SHAREHOLDING = "shareholding"
    INVESTMENT = "investment"
    OFFICE = "office"
    CHAIN = "chain"
    SUPPLY = "supply"
    TRANSACTION = "transaction"
    GUARANTEE = "guarantee"
    SHARED_IP = "shared_ip"
    BRANCH_OF = "branch_of"
    SAME_PHONE = "same_phone"
    SAME_ADDRESS = "same_address"
    SAME_EMAIL = "same_email"
    SAME_NAME_PERSON = "same_name_person"


SUSPECTED_KINDS: Final = frozenset(
    {
        RelationKind.SAME_PHONE,
        RelationKind.SAME_ADDRESS,
        RelationKind.SAME_EMAIL,
        RelationKind.SAME_NAME_PERSON,
    }
)

RELATION_LABELS: Final[dict[str, str]] = {
    "shareholding": "股权",
    "investment": "投资",
    "office": "任职",
    "chain": "产业链",
    "supply": "供应链",
    "transaction": "交易",
    "guarantee": "担保",
    "shared_ip": "共同知识产权",
    "branch_of": "分支机构",
    "same_phone": "疑似同电话",
    "same_address": "疑似同地址",
    "same_email": "疑似同邮箱",
    "same_name_person": "疑似同名人员",
}


class MatchOutcome(StrEnum):
    """The four outcomes of matching a customer row to the registry."""

    MATCHED = "matched"
    VERIFIED = "verified"
    AMBIGUOUS = "ambiguous"
    UNMATCHED = "unmatched"


OUTCOME_LABELS: Final[dict[str, str]] = {
    "matched": "已匹配",
    "verified": "已核实",
    "ambiguous": "待人工确认",
    "unmatched": "未匹配",
}


class TaskState(StrEnum):
    """The five states of a task."""

    UNCLAIMED = "unclaimed"
    FOLLOWING = "following"
    INTENDED = "intended"
    LANDED = "landed"
    CLOSED = "closed"


STATE_LABELS: Final[dict[str, str]] = {
    "unclaimed": "待认领",
    "following": "跟进中",
    "intended": "拟合作（意向已达成）",
    "landed": "已落地",
    "closed": "已结束",
}


class TaskResult(StrEnum):
    """What became of a task, apart from its state."""

    WON = "won"
    LOST = "lost"
    WITHDRAWN = "withdrawn"
    NOT_ADMITTED = "not_admitted"


RESULT_LABELS: Final[dict[str, str]] = {
    "won": "成功",
    "lost": "未成功",
    "withdrawn": "撤回",
    "not_admitted": "不准入",
}


class Grade(StrEnum):
    """Value grade of an opportunity."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


GRADE_LABELS: Final[dict[str, str]] = {"high": "高", "medium": "中", "low": "低"}


class Tier(StrEnum):
    """Tier of a company for marketing (not a credit rating)."""

    PRIME = "prime"
    SOUND = "sound"
    FAIR = "fair"


TIER_LABELS: Final[dict[str, str]] = {"prime": "优质", "sound": "良好", "fair": "一般"}


class Polarity(StrEnum):
    """What an opportunity kind is for: 营销机会, 双向, 留存, 预警, 否决."""

    MARKETING = "marketing"
    BOTH = "both"
    RETENTION = "retention"
    WARNING = "warning"
    VETO = "veto"


POLARITY_LABELS: Final[dict[str, str]] = {
    "marketing": "营销机会",
    "both": "双向",
    "retention": "留存",
    "warning": "预警",
    "veto": "否决",
}


class Signal(StrEnum):
    """Banking signals that an opportunity gives rise to."""

    ACCOUNT = "account"
    DEPOSIT = "deposit"
    CREDIT = "credit"
    SETTLEMENT = "settlement"
    BILL = "bill"
    GUARANTEE_LETTER = "guarantee_letter"
    SUPPLY_FINANCE = "supply_finance"
    TRADE_FINANCE = "trade_finance"
    PAYROLL = "payroll"
    WEALTH = "wealth"
    INVESTMENT_BANKING = "investment_banking"
    INTERNATIONAL = "international"


OPPORTUNITY_STATUS_LABELS: Final[dict[str, str]] = {"active": "有效", "expired": "已过期", "ended": "已终止"}
SIGNAL_LABELS: Final[dict[str, str]] = {
    "account": "开户",
    "deposit": "存款",
    "credit": "授信",
    "settlement": "结算",
    "bill": "票据",
    "guarantee_letter": "保函",
    "supply_finance": "供应链金融",
    "trade_finance": "贸易融资",
    "payroll": "代发",
    "wealth": "理财",
    "investment_banking": "投行",
    "international": "国际业务",
}


class Stage(StrEnum):
    """Position of a node on its chain."""

    UPSTREAM = "upstream"
    MIDSTREAM = "midstream"
    DOWNSTREAM = "downstream"


STAGE_LABELS: Final[dict[str, str]] = {"upstream": "上游", "midstream": "中游", "downstream": "下游"}


class UnitType(StrEnum):
    """Level of an institution."""

    HEAD_OFFICE = "head_office"
    BRANCH = "branch"
    SUB_BRANCH = "sub_branch"


UNIT_LABELS: Final[dict[str, str]] = {"head_office": "总行", "branch": "分行", "sub_branch": "支行"}


class Role(StrEnum):
    """Roles of staff and of machines."""

    MANAGER = "manager"
    SUB_BRANCH_ADMIN = "sub_branch_admin"
    BRANCH_ADMIN = "branch_admin"
    ANALYST = "analyst"
    ADMINISTRATOR = "administrator"
    INTEGRATOR = "integrator"


ROLE_LABELS: Final[dict[str, str]] = {
    "manager": "客户经理",
    "sub_branch_admin": "支行管理员",
    "branch_admin": "分行管理员",
    "analyst": "总行分析师",
    "administrator": "系统管理员",
    "integrator": "系统对接方",
}
