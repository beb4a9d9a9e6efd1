"""Gives MinIO the user whose keys the runs have, and the policy that limits it to the bucket.

MinIO takes users by its own API only, as the archive that it exports them to. Sent again, it
changes nothing; after a new key in store.env there are both users.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
import zipfile
from pathlib import Path

from botocore import exceptions
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials
from botocore.httpsession import URLLib3Session

WAIT_SECONDS = 600.0
POLICY = "assay"


def main() -> None:
    """Make the user, once MinIO is up; end with what is wrong."""
    url = f"{os.environ['AWS_ENDPOINT_URL_S3']}/minio/admin/v3/import-iam-v2"
    root = Credentials(os.environ["MINIO_ROOT_USER"], os.environ["MINIO_ROOT_PASSWORD"])
    answer = send(AWSRequest("PUT", url, data=archive()), root)
    said = answer.content.decode(errors="replace")
    if answer.status_code != 200:
        sys.exit(f"MinIO refuses the user ({answer.status_code}): {said}")
    if refused := [kind for kind, names in json.loads(said).get("failed", {}).items() if names]:
        sys.exit(f"MinIO refuses {', '.join(refused)}: check the keys in store.env")
    print(f"MinIO has the user {os.environ['AWS_ACCESS_KEY_ID']} with the policy {POLICY}")


def send(request: AWSRequest, credentials: Credentials) -> AWSResponse:
    """Return the answer to a request, signed; wait for a server that is starting."""
    end = time.monotonic() + WAIT_SECONDS
    S3SigV4Auth(credentials, "s3", "us-east-1").add_auth(request)
    while True:
        try:
            answer = URLLib3Session(timeout=30).send(request.prepare())
        except (exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            if time.monotonic() > end:
                sys.exit(f"MinIO does not answer: {error}")
        else:
            if answer.status_code != 503 or time.monotonic() > end:
                return answer
        time.sleep(1)


def archive() -> bytes:
    """Return what MinIO is to know: the policy, the user, and that the one has the other."""
    key, secret = os.environ["AWS_ACCESS_KEY_ID"], os.environ["AWS_SECRET_ACCESS_KEY"]
    policy = json.loads((Path(__file__).parent / "policy.json").read_text())
    entities = {
        "policies": {POLICY: policy},
        "users": {key: {"secretKey": secret, "status": "enabled"}},
        "user_mappings": {key: {"version": 1, "policy": POLICY}},
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as written:
        for name, entity in entities.items():
            written.writestr(f"iam-assets/{name}.json", json.dumps(entity))
    return content.getvalue()


if __name__ == "__main__":
    main()
