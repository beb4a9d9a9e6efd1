"""The cause behind an error: what its status, its codes and its words say, told apart."""

from __future__ import annotations

import re

from assay.judge.refusal import Refusal

CONTENT_FILTER, OVERFLOW, NOT_FOUND = "content_filter", "context_overflow", "not_found"
_FILTERED_CODE = re.compile(
    r"content_?(?:filter|policy|moderation)|sensitive|moderation|data_?inspection|risk_control|"
    r"responsible_?ai|prohibited_content|safety|unsafe|^1301$|content_block",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content.{0,20}(?:filter|policy|policies|moderat|management policy)|sensitive (?:word|content)"
    r"|inappropriate content|moderation|flagged|prohibited content|blocked (?:by|due|for).{0,30}"
    r"(?:safety|polic|filter)|safety (?:system|setting|filter|reason)|violat.{0,30}(?:polic|guidel|"
    r"usage)|high risk|DataInspectionFailed|敏感|违规|不安全|内容安全|违反|审核|风控",
    re.IGNORECASE,
)
_OVERFLOW_CODE = re.compile(r"context|string_above_max_length|too_many_tokens|1261", re.IGNORECASE)
_OVERFLOW = re.compile(
    r"context.{0,20}(?:length|size|window|limit)|exceeds? .{0,40}context|(?:prompt|input).{0,20}"
    r"(?:is )?too long|(?:prompt|input).{0,30}exceed.{0,30}(?:maximum|max|limit|length|token)|"
    r"range of input length|maximum.{0,20}(?:input|prompt).{0,20}(?:length|tokens)|(?:input|prompt)"
    r" (?:tokens?|length).{0,30}(?:exceed|larger|greater|too)|too many (?:input |total )?tokens"
    r"(?! per)|reduce the (?:length|size) of the (?:messages|prompt|input)|"
    r"上下文.{0,10}(?:长度|超)|输入.{0,10}(?:超|过长)|超出.{0,10}长度",
    re.IGNORECASE,
)
_NO_BALANCE = re.compile(
    r"insufficient.{0,3}(?:quota|balance|credit|fund)|(?:balance|credit|quota|fund)s?.{0,20}"
    r"(?:insufficient|exhausted|too low|not enough|used up|run out|depleted|exceeded your current)|"
    r"exceeded your current quota|out of credit|arrear|overdue|payment required|"
    r"billing (?:hard|not)|"
    r"余额|欠费|充值|资源包",
    re.IGNORECASE,
)
_NO_MODEL_CODE = re.compile(r"model_?not_?(?:found|exist)|no_?such_?model|deploymentnotfound", re.I)
_NO_MODEL = re.compile(
    r"model.{0,120}(?:not found|does(?:n't| not) exist|not exist|unknown|is not (?:available|"
    r"served|loaded|a valid|found)|no such)|(?:unknown|invalid|no such|not a valid|unsupported) "
    r"model|(?:no|not).{0,20}deployment|deployment.{0,60}(?:not|n't) exist|模型.{0,20}不存在",
    re.IGNORECASE,
)
_KEY = re.compile(r"api.?key|unauthori|credential|authenti|access token|令牌|密钥", re.IGNORECASE)


def cause_of(refusal: Refusal) -> str:
    """Return the cause of an error that has a status of 400 to 599, or counts as one."""
    status, codes = refusal.status, refusal.codes
    if status == 401:
        return "auth"
    if status == 429 or no_balance(refusal):
        return "rate_limited"
    if status != 413 and (_any(_FILTERED_CODE, codes) or _FILTERED.search(refusal.text)):
        return CONTENT_FILTER
    if status == 413 or _any(_OVERFLOW_CODE, codes) or _OVERFLOW.search(refusal.text):
        return OVERFLOW
    if status == 403:
        return "auth"
    if status in (408, 504):
        return "timeout"
    if status in (409, 425) or (status >= 500 and status not in (501, 505)):
        return "server_error"
    return _cause_of_rejection(refusal)


def _cause_of_rejection(refusal: Refusal) -> str:
    if _any(_NO_MODEL_CODE, refusal.codes) or _NO_MODEL.search(refusal.text):
        return NOT_FOUND
    if refusal.status in (404, 410):
        return NOT_FOUND
    if refusal.status == 400 and _KEY.search(refusal.text):
        return "auth"  # Google's "API key not valid"
    return "rejected"


def no_balance(refusal: Refusal) -> bool:
    """Whether the account has nothing left to pay with, so that to wait is no use."""
    if refusal.status == 402:
        return True
    told = " ".join((*refusal.codes, refusal.text))
    return refusal.status in (400, 403, 429) and bool(_NO_BALANCE.search(told))


def _any(pattern: re.Pattern[str], codes: tuple[str, ...]) -> bool:
    return any(pattern.search(code) for code in codes)
