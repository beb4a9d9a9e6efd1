"""EvalScope's own judge over the files of bench_judge, in an environment that has evalscope.

    python evalscope_judge.py URL DATASET PREDICTIONS IN_FLIGHT

Prints the wall and CPU seconds from these files to a file of replies, which is less than Assay is
timed for: it checks each reply, too. EvalScope asks from a pool of threads; so does this.
"""

import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from evalscope.api.messages import ChatMessageUser
from evalscope.metrics.judge.llm_judge import LLMJudge


def main(url: str, samples: str, predictions: str, in_flight: int) -> None:
    judge = LLMJudge(
        api_key="none",
        api_url=url,
        model_id="fake",
        score_type="numeric",
        generation_config={"temperature": 0.0, "max_tokens": 512},
    )

    def rows(path: str) -> list[dict[str, Any]]:
        return [json.loads(line) for line in Path(path).read_text().splitlines()]

    def ask(question: dict[str, Any], answer: dict[str, Any]) -> str:
        prompt = judge.build_prompt(
            answer["output"], question["target"], question["messages"][0]["content"]
        )
        return str(judge.generate([ChatMessageUser(content=prompt)]).completion)

    ask(rows(samples)[0], rows(predictions)[0])  # imports and the first connection
    wall, cpu = time.perf_counter(), time.process_time()
    with ThreadPoolExecutor(in_flight) as pool:
        replies = list(pool.map(ask, rows(samples), rows(predictions)))
    Path(predictions).with_name("replies.jsonl").write_text("\n".join(map(json.dumps, replies)))
    print(time.perf_counter() - wall, time.process_time() - cpu)
    assert all("commentary" in reply for reply in replies)


main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]))
