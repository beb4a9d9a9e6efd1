"""Stands in for vLLM's API server where its behaviour is the test's: FAKE_VLLM says which one.

Answers are ids made of the prompt; each start and request is a line of FAKE_VLLM_LOG.
"""

import http.server
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

MODE = os.environ.get("FAKE_VLLM", "")
LOG = os.environ["FAKE_VLLM_LOG"]
PORT = int(sys.argv[sys.argv.index("--port") + 1])
LOCK = threading.Lock()
STATE = {"asked": 0}
NAN = [int(length) for length in os.environ.get("FAKE_VLLM_NAN", "").split()]
"""Prompts of these lengths have logits of NaN."""
ZEROS = [*NAN, *(int(length) for length in os.environ.get("FAKE_VLLM_ZEROS", "").split())]
"""Prompts of these lengths are answered with the vocabulary's first token alone."""


def note(kind: str, value: Any) -> None:
    with LOCK, Path(LOG).open("a") as file:
        file.write(json.dumps({kind: value}) + "\n")


def choice(request: dict[str, Any]) -> dict[str, Any]:
    tuned = request["model"] == "tuned" and MODE != "deaf"
    ids = [len(request["prompt"]), request["prompt"][0], 7 + tuned][: request["max_tokens"]]
    ids.append(request.get("stop_token_ids", [0])[0])
    if len(request["prompt"]) in ZEROS:
        ids = [0] * request["max_tokens"]
    said: dict[str, Any] = {"token_ids": ids}
    if request.get("logprobs"):
        said["logprobs"] = {"token_logprobs": [-0.25 - tuned]}
    return said


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the mode says."""

    protocol_version = "HTTP/1.1"

    def log_message(self, *_arguments: Any) -> None:
        pass

    def send(self, code: int, text: bytes) -> None:
        self.send_response(code)
        self.send_header("content-length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self) -> None:
        if self.path == "/metrics" and MODE != "mute":
            self.send(200, b'vllm:generation_tokens_total{engine="0"} 3.0\n')
        else:
            self.send(200, b"")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        note("request", request)
        STATE["asked"] += 1
        if MODE in ("hang", "mute"):
            time.sleep(600)
        if MODE == "die" and STATE["asked"] > 2:
            print("ValueError: einsum(): the batch does not match", flush=True)
            os._exit(1)
        if MODE == "dead engine" and STATE["asked"] > 2:
            print("(EngineCore pid=1) ERROR RuntimeError: CUDA error", flush=True)
            self.send(500, b'{"error": {"message": "EngineDeadError"}}')
            time.sleep(0.2)
            os._exit(1)
        nan = MODE == "nan" or request["model"] in MODE.split() or len(request["prompt"]) in NAN
        if request.get("logprobs") and nan:
            said = "Out of range float values are not JSON compliant: nan"
            self.send(400, json.dumps({"error": {"message": said}}).encode())
        elif MODE == "refuse":
            self.send(400, b'{"error": {"message": "Token id 9 is out of vocabulary"}}')
        else:
            self.send(200, json.dumps({"choices": [choice(request)]}).encode())


def main() -> None:
    note("start", sys.argv[1:])
    with Path(LOG).open() as file:
        starts = sum('"start"' in line for line in file)
    if MODE.startswith("fail:") or (MODE == "taken once" and starts == 1):
        print(MODE.removeprefix("fail:") or "", flush=True)
        if MODE == "taken once":
            print("OSError: [Errno 98] Address already in use", flush=True)
        sys.exit(1)
    if MODE == "silent":
        time.sleep(600)
    print("Application startup complete.", flush=True)
    http.server.ThreadingHTTPServer(("127.0.0.1", PORT), Handler).serve_forever()


if __name__ == "__main__":
    main()
