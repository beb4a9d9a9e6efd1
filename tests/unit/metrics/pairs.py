"""Pairs of texts for the metrics' tests: made up, of every script, and with nothing left out."""

from __future__ import annotations

from hypothesis import strategies as st

from assay.records import Prediction, Sample

ODD = [
    "",
    " ",
    "\n",
    "a",
    "the cat sat on the mat",
    "The cat sat.\n\nThe dog ran...... away.......\r\nAnd the\u3000end?",
    "今天天气不错，我们去公园散步吧。你觉得怎么样？",
    "我来到北京清华大学，乒乓球拍卖完了。韓國 kimchi 3.14% C++ ……",
    "混合 text 与 English words，以及 e-mail：a.b@c.d！”他说",
    "\u4e02\u4e04\u9fa0\u9fd5",
    "ひらがなとカタカナと漢字",
    "שלום עולם مرحبا بالعالم",
    "한국어 문장입니다",
    "NaN",
    "\x00\x01\x02\xff\x1c\x85\u2028",
    "lone \ud800 surrogate \udfff",
    "\U0001f600\U00020000\u200d",
    "y" * 3000,
    "&amp; &lt;b&gt; <skipped> a-\nb 1,000.5-6 $3.50",
    "running ran runs easily fairly happily the a an",
]

WORDS = [
    *("the", "cat", "sat", "cats", "sitting", "happy", "glad", "Paris", "a", "an", "isn't"),
    *("v1.2", "50%", "C++", "......", ".......", "word.", "x", "y", "yy"),
    *(
        "中国",
        "人民",
        "银行",
        "的",
        "了",
        "不",
        "是",
        "清华大学",
        "丂",
        "龠",
        "、",
        "。",
        "？",
        "”",
        "，",
    ),
    *("の", "カ", "한국", "שלום", "\ud800", "\U0001f600", "\x00", "\u2028", "&amp;", "-\n"),
    *(" ", "  ", "\n", "\n\n", "\r\n", "\t", "\u3000"),
]

texts = st.one_of(
    st.sampled_from(ODD),
    st.lists(st.sampled_from(WORDS), max_size=40).map("".join),
    st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join),
    st.text(st.characters(codec=None), max_size=60),
)


def pair(output: str, target: str) -> tuple[Sample, Prediction]:
    return (
        Sample(id="a", messages=(), target=target),
        Prediction(id="a", output=output, finish="stop", prompt_tokens=1, output_tokens=1),
    )
