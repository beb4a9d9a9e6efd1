#!/bin/sh
# Writes store.env, from which `kubectl apply -k` makes the Secret assay-store, with random keys.
# Keeps one that is there: MinIO's data stay readable.
set -eu
umask 077
cd "$(dirname "$0")"
[ ! -e store.env ] || exit 0
random() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
cat > store.env <<END
AWS_ENDPOINT_URL_S3=http://assay-minio:9000
AWS_REGION=us-east-1
AWS_ACCESS_KEY_ID=$(random 10)
AWS_SECRET_ACCESS_KEY=$(random 20)
END
