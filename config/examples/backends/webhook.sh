#!/bin/sh
# Calls a webhook as the broker does, to try one out: signs FILE (or a provision made up here) and sends it.
#
#   WEBHOOK_SECRET=... webhook.sh URL [FILE]
#
# Run it twice with the same KEY: the webhook must do nothing twice. Give AGE=3600, and it must not let you in: what was
# signed an hour ago was recorded by somebody.
set -eu
url=${1:?the URL of the webhook}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
body=$folder/body

if [ $# -gt 1 ]; then
  cat "$2" >"$body"
else
  cat >"$body" <<'JSON'
{
  "contract": 1,
  "operation": { "id": "try", "kind": "provision", "attempt": 1, "started_at": "2026-01-01T00:00:00Z" },
  "service": { "id": "service", "name": "database" },
  "plan": { "id": "plan", "name": "small", "values": null },
  "instance": { "id": "try-instance", "parameters": {}, "context": {}, "values": {}, "outputs": {} },
  "state": null,
  "originating_identity": null
}
JSON
fi

# The HMAC-SHA-256 of the time, a dot and the body, byte for byte as it is sent. (The secret is seen by whoever lists the
# processes of this machine: this is for trying out.)
seconds=$(($(date +%s) - ${AGE:-0}))
hex=$({ printf '%s.' "$seconds" && cat "$body"; } | openssl dgst -sha256 -hmac "$WEBHOOK_SECRET" | sed 's/.* //')

curl --silent --show-error --include --max-time 30 \
  --header 'Content-Type: application/json' \
  --header "Idempotency-Key: ${KEY:-try}" \
  --header 'X-Broker-Attempt: 1' \
  --header "X-Broker-Signature: t=$seconds,v1=$hex" \
  --data-binary "@$body" "$url"
