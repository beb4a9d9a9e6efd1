"""The cause behind an error: what its status, its codes and its words say, told apart."""

from __future__ import annotations

import re

from assay.judge.refusal import Refusal
from assay.judge.waits import asked

TIMEOUT = "timeout"
CONTENT_FILTER, OVERFLOW, NOT_FOUND, LIMITED = (
    "content_filter",
    "context_overflow",
    "not_found",
    "rate_limited",
)
UNPARSED, TRUNCATED = "parse_error", "truncated"
_FILTERED_CODE = re.compile(
    r"content_?(?:filter|policy|moderation)|sensitive|moderation|data_?inspection|risk_control|"
    r"responsible_?ai|prohibited_content|safety|unsafe|^1301$|content_block|^invalid_prompt$|"
    r"guardrail|censor|policy_?violation|violation_content|^336104$",
    re.IGNORECASE,
)
_FILTERED = re.compile(
    r"content.{0,20}(?:filter|policy|policies|moderat|management policy|exists? risk|not allowed|"
    r"not security|violates)|sensitive[_ ](?:word|content|information)|new[_ ]sensitive"
    r"|inappropriate content|moderation|flagged|prohibited content|blocked (?:by|due|for).{0,30}"
    r"(?:safety|polic|filter)|safety (?:system|setting|filter|reason|check)|"
    r"violat.{0,30}(?:polic|guidel|usage|regulation|guardrail)|guardrail|outputted is blocked|"
    r"related to (?:violence|pornog|politic|terror)|high risk|DataInspectionFailed|"
    r"(?:prompt|input|response|output) (?:was |is )?blocked|"
    r"敏感|违规|违禁|不合规|不安全|内容安全|违反|审核|风控|涉黄|涉政",
    re.IGNORECASE,
)
_OVERFLOW_CODE = re.compile(
    r"context_?(?:length|window|size|overflow)|exceed_context|string_above_max_length|"
    r"too_many_tokens|tokens_too_long|oversize|^1261$|request_too_large",
    re.IGNORECASE,
)
_OVERFLOW = re.compile(
    r"context.{0,20}(?:length|size|window|limit)|exceeds? .{0,40}context|(?:prompt|input|tokens?)"
    r".{0,20}(?:is |are )?too long|"
    r"(?:prompt|input).{0,30}exceed.{0,30}(?:maximum|max|limit|length|token)|"
    r"range of input length|maximum.{0,20}(?:input|prompt).{0,20}(?:length|tokens)|(?:input|prompt)"
    r" (?:tokens?|length).{0,30}(?:exceed|larger|greater|too)|too many (?:input |total )?tokens"
    r"(?! per)|reduce the (?:length|size) of the (?:messages|prompt|input)|"
    r"exceed\w* (?:the )?(?:model(?:'s)? )?(?:maximum (?:model )?|max )?(?:token|length) ?limit|"
    r"max(?:imum)? (?:input characters|message tokens|model length)|too large for (?:the )?model|"
    r"inputs` (?:must have less|tokens \+)|overflows|"
    r"(?:longer|larger|greater) than (?:the )?(?:model\S* )?(?:input|prompt|sequence)? ?length|"
    r"(?:prompt|input)(?: token)? (?:length|count)\b.{0,60}(?:exceed|only supports|supports up to)|"
    r"上下文.{0,10}(?:长度|超)|输入.{0,10}(?:超|过长)|超出.{0,10}长度|超长|超过.{0,10}最大长度|"
    r"token.{0,4}(?:数量?)?超过|字数太多",
    re.IGNORECASE,
)
_LIMITED_CODE = re.compile(
    r"throttl|rate_?limit|too_?many_?requests|request_?limit_?exceeded|limit_requests|"
    r"burst_?rate|qps|concurrency|(?:rpm|tpm|rpd|tpd)_?(?:limit|exceeded)|quota_?exceeded",
    re.IGNORECASE,
)
_LIMITED = re.compile(
    r"rate.?limit\w*.{0,40}(?:exceed|reach|hit)|(?:exceed|reach|hit)\w*.{0,60}rate.?limit|"
    r"too many requests|requests? (?:per \w+ )?limit (?:has been )?(?:reached|exceeded)|throttl|"
    r"call volume quota|流控|限流|频率(?:超|过|限)|速率限制|并发(?:数)?(?:过|超)|请求过多|次数过多",
    re.IGNORECASE,
)
_NO_BALANCE_CODE = re.compile(
    r"insufficient_?(?:user_?)?(?:quota|balance|credit|fund)|billing|arrear|overdue|balance|"
    r"budget_?exceeded|exceeded_?budget|credit_?limit|spend\w*_?limit|exceeded_current_quota|"
    r"free_?tier_?only|pack(?:age)?_?exhausted|pre_consume_token_quota|setlimitexceeded|"
    r"^1113$|^1309$|payment_required",
    re.IGNORECASE,
)
_NO_BALANCE = re.compile(
    r"insufficient.{0,3}(?:balance|credit|fund)|"
    r"(?:balance|credit|fund)s?.{0,20}(?:insufficient|exhausted|too low|not enough|used up|run out|"
    r"depleted|expired|exceeded)|(?:not|n't) have any credits|requires more credits|out of credit|"
    r"(?:all available|included) credits|arrear|overdue|unpaid|payment required|spending limit|"
    r"account is in good standing|"
    r"account.{0,60}(?:suspended|not active)|billing (?:hard|not|to be enabled)|over budget|"
    r"budget has been exceeded|specified API usage limits|key limit exceeded|pre-consumed quota|"
    r"free (?:tier.{0,30}exhausted|allocated quota)|, limit: 0\b|"
    r"余额|欠费|充值|资源包|额度(?:不足|已用尽|为零)|套餐.{0,4}到期",
    re.IGNORECASE,
)
# words that also stand in limits of a minute, which say when to ask again
_NO_QUOTA = re.compile(
    r"insufficient.{0,3}quota|quota.{0,20}(?:exhausted|used up|run out|depleted)|"
    r"exceeded your current quota|(?:/|per) ?month|monthly|no quota",
    re.IGNORECASE,
)
_TOO_LARGE = re.compile(r"limit:? (\d{1,12}),? requested:? (\d{1,12})", re.IGNORECASE)
_NO_MODEL_CODE = re.compile(
    r"model_?(?:is_?)?(?:not_?(?:found|exist|available|supported|open|enabled|activated)|disabled)|"
    r"model_permission_blocked|unpurchased|no_?such_?model|deploymentnotfound|"
    r"(?:unknown|unavailable|invalid)_model$|model_?decommissioned",
    re.IGNORECASE,
)
_NO_MODEL = re.compile(
    r"model.{0,120}(?:not found|does(?:n't| not) exist|not exist|unknown|is not (?:available|"
    r"served|loaded|a valid|found)|no such)|(?:unknown|invalid|no such|not a valid|unsupported) "
    r"model|(?:no|not).{0,20}deployment|deployment.{0,60}(?:not|n't) exist|模型.{0,20}不存在|"
    r"model.{0,120}(?:decommissioned|not a chat model|supported by any|identifier is invalid)|"
    r"not a chat model|(?:unavailable|non-serverless) model|no models? (?:is |are )?loaded",
    re.IGNORECASE,
)
# of a 403: whoever asks, the model is not to be had as it is
_MODEL_OFF = re.compile(
    r"model\b.{0,80}(?:disabled|(?:not|n't)(?: been| yet)* (?:enabled|activated|available|open)|"
    r"blocked at|has been (?:retired|removed)|subscription|"
    r"requires? (?:an? |the )?(?:\w+ )?(?:plan|tier))|"
    r"(?:not|n't)(?: been)? (?:enabled|activated|available)\b.{0,40}\bmodel|"
    r"eligible for using the model|enable this model|未(?:开通|启用|激活).{0,20}模型|"
    r"模型.{0,20}(?:未(?:开通|启用|激活|上线)|已?(?:下线|禁用|停用))",
    re.IGNORECASE,
)
_UNPARSED_CODE = re.compile(r"json_validate_failed", re.IGNORECASE)
_UNFINISHED = re.compile(r"could not finish the message because max_tokens", re.IGNORECASE)
# of the reply's own limit, in words that also name the context
_MOST = re.compile(r"max_(?:completion_)?tokens\W{1,3}must be less than", re.IGNORECASE)
_PASSING = (409, 425, 449, 498, 499)
_KEY = re.compile(
    r"api.?key|unauthori|credential|authenti|authorization header|access token|令牌|密钥",
    re.IGNORECASE,
)


def cause_of(refusal: Refusal) -> str:
    """Return the cause of an error that has a status of 400 to 599, or counts as one. What its
    codes say goes before its words, which may quote what was asked."""
    status = refusal.status
    if no_balance(refusal):
        return LIMITED
    if status == 401:
        return "auth"
    if status == 429 or _is_limit(refusal):
        return LIMITED
    if status != 413 and _is_filtered(refusal):
        return CONTENT_FILTER
    if status == 413 or _any(_OVERFLOW_CODE, refusal) or _is_overflow(refusal):
        return OVERFLOW
    if _any(_NO_MODEL_CODE, refusal):
        return NOT_FOUND
    if status == 403:
        return NOT_FOUND if _says(_MODEL_OFF, refusal) else "auth"
    if refusal.unclear and (cause := _cause_of_words(refusal)):
        return cause
    if status in (408, 504):
        return TIMEOUT
    if status in _PASSING or (status >= 500 and status not in (501, 505)):
        return "server_error"
    return _cause_of_rejection(refusal)


def _is_limit(refusal: Refusal) -> bool:
    """Whether an error that is no 429 is a rate limit all the same."""
    if refusal.status >= 500 and not refusal.unclear:
        return False  # it is too busy, or broken
    if _any(_LIMITED_CODE, refusal):
        return True
    return refusal.status != 413 and not _any(_FILTERED_CODE, refusal) and _says(_LIMITED, refusal)


def _is_filtered(refusal: Refusal) -> bool:
    return refusal.status == 451 or _any(_FILTERED_CODE, refusal) or _says(_FILTERED, refusal)


def _is_overflow(refusal: Refusal) -> bool:
    return _says(_OVERFLOW, refusal) and not _says(_MOST, refusal)


def _cause_of_rejection(refusal: Refusal) -> str:
    if _any(_UNPARSED_CODE, refusal):
        return UNPARSED  # the endpoint has read the reply, and found no JSON
    if _says(_UNFINISHED, refusal):
        return TRUNCATED
    if refusal.status in (404, 410):
        return NOT_FOUND
    cause = _cause_of_words(refusal)
    return cause if cause == NOT_FOUND or (cause and refusal.status == 400) else "rejected"


def _cause_of_words(refusal: Refusal) -> str:
    if _says(_NO_MODEL, refusal):
        return NOT_FOUND
    return "auth" if _says(_KEY, refusal) else ""  # Google's "API key not valid"


def no_balance(refusal: Refusal) -> bool:
    """Whether the account has nothing left to pay with, so that to wait is no use."""
    if refusal.status == 402:
        return True
    if refusal.status == 413 or (refusal.status >= 500 and not refusal.unclear):
        return False
    if _any(_NO_BALANCE_CODE, refusal):
        return True
    if _any(_FILTERED_CODE, refusal):
        return False
    return _says(_NO_BALANCE, refusal) or (
        _says(_NO_QUOTA, refusal) and asked(refusal.text, refusal.hints, 0.0) is None
    )


def too_large(refusal: Refusal) -> bool:
    """Whether one request alone takes more than its limit a minute, so that it never passes."""
    numbers = _TOO_LARGE.search(refusal.text)
    return numbers is not None and int(numbers[2]) > int(numbers[1])


def _any(pattern: re.Pattern[str], refusal: Refusal) -> bool:
    return any(pattern.search(code) for code in refusal.codes)


def _says(pattern: re.Pattern[str], refusal: Refusal) -> bool:
    return bool(pattern.search(refusal.text))
