"""How numbers are written: in which digits, with which separators, as powers and fractions."""

from __future__ import annotations

import re
import unicodedata

_GAPS = "\u00a0\u2009\u202f"
"""The spaces that stand between thousands and nowhere else within a line of text."""
_MINUS = dict.fromkeys(map(ord, "\u2212\u2013\ufe63\uff0d"), "-")
_RAISED = str.maketrans("⁺⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "+-0123456789")
_TENS = re.compile(r"(?<=10)[⁺⁻]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_LATEX = re.compile(r"\\[dt]?frac\s*\{\s*([0-9]+)\s*\}\s*\{\s*([0-9]+)\s*\}")
_MIXED = re.compile(r"(?<=[0-9])(?=\\[dt]?frac|[\u00bc-\u00be\u2150-\u215e])")
_OTHER = re.compile(r"[^\x00-\x7f]")

# a sign belongs to a number where nothing stands before it that it could be subtracted from, and
# digits behind ^ are no number but the power of what is before it
NUMBER = re.compile(
    rf"""
    (?<![A-Za-z0-9_.]) (?<![\^] ) (?<! [\^_]\{{ ) (?<! [\^][-+] ) (?<! [\^]\{{[-+] )
    (?P<sign> (?<![\w)\]]) [-+] (?:\\?[$€£¥₹][ ]?)? )?
    (?:
      (?<! [0-9]/ ) (?: (?P<whole> [0-9]{{1,3}} ) [ ] )?
      (?P<over> [0-9]{{1,999}} ) / (?P<under> [1-9][0-9]{{0,999}} ) (?! [0-9] | [/.,][0-9] )
    | (?:
        (?P<english> [1-9][0-9]{{0,2}} (?: ,[0-9]{{3}} )+ (?![0-9]) (?: \.[0-9]+ )?
                   | [1-9][0-9]? (?: ,[0-9]{{2}} )+ ,[0-9]{{3}} (?![0-9]) (?: \.[0-9]+ )? )
      | (?P<comma> [1-9][0-9]{{0,2}} (?: \.[0-9]{{3}} )+ ,[0-9]+ (?! ,?[0-9] )
                 | [1-9][0-9]{{0,2}} (?: \.[0-9]{{3}} ){{2,}} (?! \.?[0-9] )
                 | (?<! [0-9], ) [0-9]+ ,[0-9]+ (?! [0-9]*,?[0-9] ) )
      | (?P<spaced> [1-9][0-9]{{0,2}} (?: [{_GAPS}'\u2019_][0-9]{{3}} )+ (?![0-9]) (?: [.,][0-9]+ )?
                  | [1-9][0-9]{{0,2}} (?: [ ][0-9]{{3}} )+ ,[0-9]{{1,2}} (?![0-9]) )
      | (?P<plain> [0-9]+ (?: \.[0-9]+ )? | \.[0-9]+ )
      )
      (?: [eE] (?P<exponent> [-+]?[0-9]{{1,9}} )
        | \s? (?: [xX×*·⋅] | \\times | \\cdot ) \s? 10
          (?: \^ | \*\* ) [{{(]? (?P<tens> [-+]?[0-9]{{1,9}} )
        | (?: \^ | \*\* ) [{{(]? (?P<power> [-+]?[0-9]{{1,9}} )
      )?
    )
    """,
    re.VERBOSE,
)


def in_ascii(text: str) -> str:
    """Return a text with the digits of any script as 0 to 9, each minus as one, and fractions and
    powers of ten as they are typed: one half as 1/2, a raised 3 behind 10 as ^3."""
    if "\\" in text or "{,}" in text:
        text = text.replace("{,}", ",").replace("\\,", "\u2009")
        text = _LATEX.sub(r"\1/\2", _MIXED.sub(" ", text))
    if text.isascii():
        return text
    text = _MIXED.sub(" ", text)
    text = _TENS.sub(lambda match: "^" + match[0].translate(_RAISED), text).translate(_MINUS)
    return _OTHER.sub(lambda match: _typed(match[0]), text)


def _typed(sign: str) -> str:
    if sign.isdecimal():
        return str(unicodedata.decimal(sign))
    if sign in "\u066b\u066c":  # Arabic's decimal point and its separator of thousands
        return "." if sign == "\u066b" else "'"
    parts = unicodedata.normalize("NFKC", sign).split("\u2044")
    return "/".join(parts) if len(parts) == 2 and all(parts) else sign
