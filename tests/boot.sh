#!/usr/bin/env bash
# Boots a small Debian, installs the package of deploy/release.sh in it, and lets its unit run: with the sandbox as it is, a
# whole life, a program of a backend, a reload, a crash, an upgrade, and what is left after a purge. By hand, outside of
# .ci/run: it makes a release build, unless BINARY names a binary. Needs root; installs mmdebstrap and systemd-nspawn. The
# system is kept in target/boot, and taken again the next time.
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
command -v mmdebstrap >/dev/null || need+=(mmdebstrap)
command -v systemd-nspawn >/dev/null || need+=(systemd-container)
if ((${#need[@]})); then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi

base=target/boot
if [ ! -e "$base/usr/bin/curl" ]; then
  echo "== a system"
  rm -rf "$base"
  mmdebstrap --quiet --variant=apt --include=systemd,systemd-sysv,dbus,passwd,curl "${SUITE:-bookworm}" "$base"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
deploy/release.sh "$work/release" >/dev/null
# What is done in it goes with it.
cp -a "$base" "$work/system"
system=$work/system
cp "$work"/release/*.deb "$system/root/broker.deb"

cat >"$system/root/catalog.yaml" <<'END'
minimum_api_version: "2.10"
backends:
  folders: { command: { run: [/usr/local/bin/folder], env: { PATH: /usr/bin:/bin } } }
services:
  - id: s-1
    name: folders
    description: As it was
    bindable: true
    bindings_retrievable: true
    plans:
      - { id: p-fixed, name: fixed, description: Nothing runs, binding: { credentials: { id: "{{ binding.id }}" } } }
      - id: p-made
        name: made
        description: A program runs
        backend: { use: folders }
        binding: { credentials: { folder: "{{ binding.outputs.folder }}" } }
END
cat >"$system/usr/local/bin/folder" <<'END'
#!/bin/sh
cat >/dev/null
mkdir -p /var/lib/catalog-broker/folders
date >/var/lib/catalog-broker/folders/last
echo '{"outputs": {"folder": "/var/lib/catalog-broker/folders"}}'
END
chmod 755 "$system/usr/local/bin/folder"

# What is done inside. Whatever fails ends it.
cat >"$system/root/try" <<'END'
#!/bin/bash
exec >/root/said 2>&1
set -eEuo pipefail
trap 'echo "line $LINENO: $BASH_COMMAND"; journalctl --no-pager --unit catalog-broker | tail -n 20' ERR

unit=catalog-broker.service
api() {
  curl -sS -u "platform:$(cat /etc/catalog-broker/password)" -H 'X-Broker-API-Version: 2.17' -w '\n%{http_code}' \
    "http://127.0.0.1:8080$2" -X "$1" ${3:+-d "$3"}
}
# ask STATUS METHOD PATH [BODY]
ask() {
  local answer
  answer=$(api "$2" "$3" "${4:-}")
  echo "$2 $3 -> ${answer##*$'\n'}"
  [ "${answer##*$'\n'}" = "$1" ] || { echo "$answer"; return 1; }
}
ready() {
  for _ in $(seq 300); do
    curl -fsS http://127.0.0.1:8080/readyz >/dev/null 2>&1 && return
    sleep 0.1
  done
  echo "it is not ready"
  return 1
}
# A `!` is none of what `set -e` looks at.
not() { if "$@"; then echo "not: $*" && return 1; fi; }
pid() { systemctl show --property MainPID --value $unit; }

dpkg --install /root/broker.deb
not systemctl is-active --quiet $unit
cp /root/catalog.yaml /etc/catalog-broker/catalog.yaml
systemctl enable --now $unit
ready

echo "== the sandbox"
status=$(cat "/proc/$(pid)/status")
for line in $'Seccomp:\t2' $'NoNewPrivs:\t1' $'CapBnd:\t0000000000000000' $'CapEff:\t0000000000000000'; do
  grep -F "$line" <<<"$status"
done
[ "$(ps -o user= -p "$(pid)" 2>/dev/null || stat -c %U "/proc/$(pid)")" = catalog-broker ]
[ "$(stat -c '%U %a' /var/lib/catalog-broker)" = 'catalog-broker 700' ]
# It does not see its own secrets where they are kept.
not setpriv --reuid=catalog-broker --regid=catalog-broker --clear-groups cat /etc/catalog-broker/store-key

echo "== a life, and one that a program makes"
at=/v2/service_instances
for plan in fixed made; do
  ids="\"service_id\":\"s-1\",\"plan_id\":\"p-$plan\""
  ask 201 PUT "$at/$plan" "{$ids,\"organization_guid\":\"o\",\"space_guid\":\"s\"}"
  ask 201 PUT "$at/$plan/service_bindings/b" "{$ids}"
done
[ -s /var/lib/catalog-broker/folders/last ]

echo "== a reload"
before=$(pid)
sed -i 's/As it was/As it is/' /etc/catalog-broker/catalog.yaml
systemctl reload $unit
for _ in $(seq 100); do
  api GET /v2/catalog | grep -q 'As it is' && break
  sleep 0.1
done
api GET /v2/catalog | grep -q 'As it is'
[ "$(pid)" = "$before" ]

echo "== a crash"
kill -KILL "$before"
for _ in $(seq 100); do [ "$(pid)" != "$before" ] && [ "$(pid)" != 0 ] && break; sleep 0.1; done
ready
ask 200 PUT "$at/fixed/service_bindings/b" '{"service_id":"s-1","plan_id":"p-fixed"}'

echo "== an upgrade"
before=$(pid)
dpkg --install /root/broker.deb
ready
[ "$(pid)" != "$before" ]
for plan in fixed made; do
  ask 200 DELETE "$at/$plan/service_bindings/b?service_id=s-1&plan_id=p-$plan"
  ask 200 DELETE "$at/$plan?service_id=s-1&plan_id=p-$plan"
done

echo "== a stop, and a purge"
systemctl stop $unit
[ "$(systemctl show --property Result --value $unit)" = success ]
[ "$(systemctl show --property ExecMainStatus --value $unit)" = 0 ]
systemctl start $unit
ready
dpkg --purge catalog-broker
not systemctl is-active --quiet $unit
not curl -fsS http://127.0.0.1:8080/healthz
left=$(find / -xdev \( -path /proc -o -path /root -o -path /var/lib/dpkg -o -path /var/log -o -path /sys \) -prune -o \
  -name '*catalog-broker*' -print)
[ -z "$left" ] || { echo "$left"; false; }
not grep catalog-broker /etc/passwd /etc/group
echo "all is well"
END
chmod 755 "$system/root/try"
cat >"$system/etc/systemd/system/try.service" <<'END'
[Unit]
After=multi-user.target
SuccessAction=exit
FailureAction=exit
[Service]
Type=oneshot
ExecStart=/root/try
END
mkdir -p "$system/etc/systemd/system/multi-user.target.wants"
ln -s ../try.service "$system/etc/systemd/system/multi-user.target.wants/try.service"

echo "== boot"
# A network of its own, so that its port is nobody else's.
timeout 300 systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe --directory "$system" --boot \
  </dev/null >"$work/boot.log" 2>&1 || true
cat "$system/root/said" || cat "$work/boot.log"
[ "$(tail -n 1 "$system/root/said")" = "all is well" ] || {
  echo "tests/boot.sh: see above" >&2
  exit 1
}
echo "tests/boot.sh: all is well"
