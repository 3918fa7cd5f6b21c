"""Why a touch may leave, waits, or never leaves: one word each, and how people say it in both languages."""

from enum import StrEnum

from domain.stages.wording import is_chinese


class Reason(StrEnum):
    """In the order in which contactability asks."""

    OK = "OK"
    MEMBER_BLOCKED = "MEMBER_BLOCKED"
    MEMBER_ERASED = "MEMBER_ERASED"
    LOSS = "LOSS"
    BABY_NOT_HERS = "BABY_NOT_HERS"
    FORMULA_LAW = "FORMULA_LAW"
    NO_CONSENT = "NO_CONSENT"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    DO_NOT_CALL = "DO_NOT_CALL"
    SUPPRESSED_ADDRESS = "SUPPRESSED_ADDRESS"
    EXPIRED = "EXPIRED"
    TOO_EARLY = "TOO_EARLY"
    QUIET_HOURS = "QUIET_HOURS"
    NO_COMMON_HOUR = "NO_COMMON_HOUR"
    MONTHLY_CAP = "MONTHLY_CAP"
    WEEKLY_CAP = "WEEKLY_CAP"
    DAILY_CAP = "DAILY_CAP"
    YIELDS = "YIELDS"
    NO_TEMPLATE = "NO_TEMPLATE"
    TEMPLATE_MISMATCH = "TEMPLATE_MISMATCH"
    NO_ADDRESS = "NO_ADDRESS"
    EXPIRES_FIRST = "EXPIRES_FIRST"
    REASON_GONE = "REASON_GONE"  # of calls only: what the call was for has happened


WORDS: dict[Reason, tuple[str, str]] = {
    Reason.OK: ("Nothing stands in the way", "可以联系"),
    Reason.MEMBER_BLOCKED: ("The member is blocked", "该会员已被停用"),
    Reason.MEMBER_ERASED: ("The member's data has been erased", "该会员资料已删除"),
    Reason.LOSS: ("Baby content has been stopped for this family", "该家庭已停止一切宝宝相关内容"),
    Reason.BABY_NOT_HERS: ("The baby is not in this member's family", "该宝宝不属于此会员家庭"),
    Reason.FORMULA_LAW: ("The law on breast-milk substitutes forbids it", "母乳代用品法规禁止此内容"),
    Reason.NO_CONSENT: ("No consent to this purpose on this channel", "未取得该渠道、该用途的同意"),
    Reason.CONSENT_WITHDRAWN: ("The consent was withdrawn", "会员已撤回同意"),
    Reason.DO_NOT_CALL: ("The member asked not to be called", "会员要求不再来电"),
    Reason.SUPPRESSED_ADDRESS: ("This address must not be used any more", "该联系方式已停用"),
    Reason.EXPIRED: ("It is too late for this message", "消息已过期"),
    Reason.TOO_EARLY: ("It was planned for later", "未到计划时间"),
    Reason.QUIET_HOURS: ("It is outside contact hours where the member lives", "当地时间不宜打扰"),
    Reason.NO_COMMON_HOUR: ("The member's possible time zones share no contact hour", "可能的时区没有共同的可联系时段"),
    Reason.MONTHLY_CAP: ("The member has heard from us often enough this month", "本月联系次数已达上限"),
    Reason.WEEKLY_CAP: ("The member has heard from us often enough this week", "本周联系次数已达上限"),
    Reason.DAILY_CAP: ("The member has heard from us often enough today", "今日联系次数已达上限"),
    Reason.YIELDS: ("Something that matters more to her goes first", "先发送对会员更重要的内容"),
    Reason.NO_TEMPLATE: ("There is no approved wording for it", "没有已批准的文案"),
    Reason.TEMPLATE_MISMATCH: ("The wording was approved for another purpose", "文案的用途与本次不符"),
    Reason.NO_ADDRESS: ("We have no address for this channel", "没有该渠道的联系方式"),
    Reason.EXPIRES_FIRST: ("It would be too late by the next possible time", "到可联系时已过期"),
    Reason.REASON_GONE: ("What the call was for has happened: a purchase since", "致电原因已不存在：之后已购买"),
}


def say_reason(reason: Reason, language: str) -> str:
    return WORDS[reason][is_chinese(language)]
