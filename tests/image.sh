#!/usr/bin/env bash
# Builds the image, runs it as a careful operator would (read-only, no capabilities, not root), and drives a life
# through it. By hand, outside of .ci/run: it makes a release build. Needs root; installs buildah, podman and runc.
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
for tool in buildah podman runc curl; do command -v "$tool" >/dev/null || need+=("$tool"); done
if ((${#need[@]})); then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
[ -x dist/bin/catalog-broker ] || config/dist.sh

work=$(mktemp -d)
store=(--root "$work/storage" --runroot "$work/run" --storage-driver vfs)
port=${PORT:-18080}
url=http://127.0.0.1:$port
name=catalog-broker-image-test

podman() { command podman "${store[@]}" --runtime runc "$@"; }
finish() {
  podman rm --force --volumes "$name" >/dev/null 2>&1 || true
  podman volume rm --force "$name" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT

fail() {
  echo "tests/image.sh: $*" >&2
  podman logs "$name" >&2 2>/dev/null || true
  exit 1
}

echo "== build"
buildah "${store[@]}" bud --isolation chroot --format docker --build-arg BINARY=prebuilt --tag "$name" . >"$work/build.log" 2>&1 ||
  { cat "$work/build.log" >&2; exit 1; }
podman image inspect --format 'size {{.Size}} bytes, user {{.User}}, entrypoint {{.Config.Entrypoint}}' "$name"

# Another catalog than the one in the image, so that the mount is seen to count.
sed 's/example_service/mounted_service/' catalog.yaml >"$work/catalog.yaml"
chmod 755 "$work"

echo "== run"
podman run --detach --name "$name" --network=host --read-only --cap-drop=all --security-opt=no-new-privileges \
  --ulimit nofile=1024:1024 --ulimit nproc=4096:4096 \
  --volume "$work/catalog.yaml:/etc/catalog-broker/catalog.yaml:ro" --volume "$name:/data" \
  --env PORT="$port" --env BROKER_AUTH__USERNAME=platform --env BROKER_AUTH__PASSWORD=secret "$name" >/dev/null

alive() {
  for _ in $(seq 100); do
    curl -fsS "$url/readyz" >/dev/null 2>&1 && return
    sleep 0.1
  done
  fail "it does not answer"
}

# ask STATUS METHOD PATH [BODY]: leaves the answer in $answer.
ask() {
  local wanted=$1 method=$2 path=$3 body=${4:-}
  answer=$(curl -sS -u platform:secret -H 'X-Broker-API-Version: 2.17' -X "$method" -w '\n%{http_code}' \
    ${body:+-H 'Content-Type: application/json' -d "$body"} "$url$path")
  local status=${answer##*$'\n'}
  answer=${answer%$'\n'*}
  echo "$method $path -> $status"
  [ "$status" = "$wanted" ] || fail "$method $path: $status instead of $wanted: $answer"
}

alive
ask 200 GET /v2/catalog
[[ $answer == *mounted_service* ]] || fail "the mounted catalog is not the one that is served"
service=$(sed -n 's/^  - id: //p' catalog.yaml)
plan=$(sed -n 's/^      - id: //p' catalog.yaml)
ids="\"service_id\":\"$service\",\"plan_id\":\"$plan\""
instance=/v2/service_instances/i-1
provision="{$ids,\"organization_guid\":\"org-1\",\"space_guid\":\"space-1\"}"
ask 201 PUT "$instance" "$provision"
ask 201 PUT "$instance/service_bindings/b-1" "{$ids}"
first=$answer

echo "== health check, from inside"
podman exec "$name" /bin/catalog-broker health || fail "the health check says no"
podman healthcheck run "$name" || fail "the image's health check says no"
user=$(podman top "$name" huser | tail -n 1)
[ "$user" = 65532 ] || fail "it runs as $user"

echo "== stop by SIGTERM"
podman stop --time 30 "$name" >/dev/null
code=$(podman inspect --format '{{.State.ExitCode}}' "$name")
[ "$code" = 0 ] || fail "exit code $code"
echo "exit code $code"

echo "== start again on the same volume"
podman start "$name" >/dev/null
alive
ask 200 PUT "$instance" "$provision"
ask 200 PUT "$instance/service_bindings/b-1" "{$ids}"
[ "$answer" = "$first" ] || fail "the binding is another one: $answer"
ask 200 DELETE "$instance/service_bindings/b-1?service_id=$service&plan_id=$plan"
ask 200 DELETE "$instance?service_id=$service&plan_id=$plan"
ask 410 DELETE "$instance?service_id=$service&plan_id=$plan"
podman kill --signal TERM "$name" >/dev/null
code=$(podman wait "$name")
[ "$code" = 0 ] || fail "exit code $code after kill"
echo "tests/image.sh: all is well"
