"""What the words and fields of a refusal name as not taken, of all that a request asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping

ALIASES: Mapping[str, str] = {
    "thinking": r"enable_thinking",
    "stream": r"stream(?:ing|ed)?",
    "temperature": r"temperature",
    "limit": r"max_tokens|max_completion_tokens|max_output_tokens|max_new_tokens|maxOutputTokens",
    "form": r"(?:response|output)[ _-]?format|format[ _-]enforcer|response_schema|responseSchema|"
    r"response_mime_type|responseMimeType|response_json_schema|json[ _-]?schema|"
    r"json_object|json[ _-]?mode|xgrammar|structured[ _-]?outputs?|guided_json|"
    r"guided[ _-]?decoding|grammars?|output_config|"
    r"constrained[ _-]?decoding|maxLength|additional_?Properties|logits[ _-]?processors?|"
    r"mime[ _-]?type|for format|JSON ?(?:模式|格式)|结构化输出",
    "system": r"system[ _-]?(?:role|message|prompt|instruction|field)s?|developer[ _-]?instruction|"
    r"role\W{1,4}system",
    "usage": r"stream_options|include_usage",
}
_WIDER: Mapping[str, str] = {"form": "|schemas?"}
FAILED = 500
_NO = (
    r"un(?:support|known|recogni[sz]ed|expected|available|permitted|handled|implemented)|invalid|"
    r"illegal|extra|expected|disallow|reject|remove|restricted|fixed|instead of|missing|timed out|"
    r"out of range|below the|strictly|not applicable|too (?:large|complex|many)|"
    r"additional|forbidden|deprecated|incompatible|does(?:n't| not)|do(?:n't| not)|"
    r"(?:is|are)(?:n't| not)|not (?:be |yet )?(?:support|allow|permit|valid|avail|enabled|accept|"
    r"recogni|implement|compatible)|no \w+ found|cannot|can't|must|should|only|no longer|"
    r"failed|fails|error|supported (?:range|values?)|could not be converted|"
    r"不支持|无效|非法|不合法|未知|不允许|必须|不能|只能|仅支持|错误|有误|取值|应为"
)
_TEXT_ONLY = re.compile(r"\btype: Input should be '(?:text|json_object)'")
RANGE = re.compile(
    r"too (?:large|big|high|small)|at (?:most|least)|maximum|exceed|less than|greater than|"
    r"between|range|limit|minimum|larger|at or below|范围|超过|大于|小于",
    re.IGNORECASE,
)
_STREAM_ONLY = re.compile(
    r"only (?:be )?(?:supports?|used|available).{0,30}stream|stream.{0,20}(?:required|recommended|"
    r"must be (?:set to )?\W?true|only)|non-?stream\w* .{0,30}not|enable the stream|"
    r"not support\w* non-?stream|"
    r"only stream|requires? stream|stream\W{1,4}(?:true\b|false.{0,20}not)|"
    r"stream\W{1,3}does not support false|[仅只]支持流式|不支持非流式",
    re.IGNORECASE,
)
_ROLES = re.compile(
    r"roles must alternate|不支持 ?system|角色.{0,4}system.{0,4}不支持|\brole\b.{0,20}\bsystem\b|"
    r"only user and assistant roles|valid role: user|"
    r"\brole\b.{0,60}must be (?:in )?\W{0,2}user|"
    r"(?:first message|start)\w* (?:must be )?(?:from|with) (?:a |the )?user|"
    r"should be 'user' or 'assistant'|role.{0,20}['\"`]system['\"`]|"
    r"['\"`]system['\"`].{0,80}(?:role|support)|(?:user|assistant).{0,12}(?:or|and) "
    r"['\"`]?assistant['\"`]?.{0,40}system",
    re.IGNORECASE,
)
# neither of the two names what it is about: a router of providers, a template of the model's
UNNAMED = re.compile(r"(?:handle|support) (?:all |the ){1,2}\w+ parameters", re.IGNORECASE)
_TEMPLATE = re.compile(r"jinja|chat template|template error", re.IGNORECASE)
_QUOTED = re.compile(r"\"[^\"]*\"|“[^”]*”|`[^`]*`|(?<!\w)'[^']*'(?!\w)")
_MARKS = "\"'`“”[](){}:;,."
_FEW = 3  # words that may stand in quotation marks as a name; more are a quotation


def unquoted(text: str, asked: str) -> str:
    """Return what a refusal says without what it quotes of what was `asked`: three words in a row
    that stand there too are somebody else's."""
    words = text.split()
    quoted: set[int] = set()
    for place in range(len(words) - _FEW + 1):
        if " ".join(words[place : place + _FEW]).strip(_MARKS) in asked:
            quoted.update(range(place, place + _FEW))
    return " ".join(word for place, word in enumerate(words) if place not in quoted)


def of_text(path: str) -> bool:
    """Whether a field of an error is the text of a message, which is no parameter."""
    return bool(re.search(r"messages?\b.*\bcontent", path, re.IGNORECASE))


def names(name: str, path: str) -> bool:
    """Whether a field of an error (a dotted path, a JSON pointer) is about this thing."""
    if name in ("system", "thinking", "stream"):
        return False  # what they need is in the words
    parts = [part for part in re.split(r"[./\[\]'\"\s]+", path) if part]
    return any(re.fullmatch(ALIASES[name], part, re.IGNORECASE) for part in parts)


def said(name: str, text: str, status: int) -> bool:
    """Whether a text says of this thing that it is unsupported, unknown or invalid; what is quoted
    in it, but for a name, does not count. A server that fails may speak of other schemas."""
    if name == "stream":
        return bool(_STREAM_ONLY.search(text))
    quotes_template = _TEMPLATE.search(text)
    plain = text if quotes_template else _QUOTED.sub(_without_quotation, text)
    if name == "form" and _TEXT_ONLY.search(plain):
        return True
    if name == "system" and _ROLES.search(plain):
        return True
    if name == "thinking":
        return bool(re.search(r"enable_thinking.{0,30}(?:must|should).{0,20}false", plain))
    words = ALIASES[name] + (_WIDER.get(name, "") if status < FAILED else "")
    word = rf"(?<![A-Za-z_])(?:{words})(?![A-Za-z_])"
    near = rf"{word}.{{0,80}}(?:{_NO})|(?:{_NO}).{{0,80}}{word}"
    return bool(re.search(near, plain, re.IGNORECASE))


def _without_quotation(quoted: re.Match[str]) -> str:
    return quoted[0] if len(quoted[0].split()) <= _FEW else " "
