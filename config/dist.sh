#!/usr/bin/env bash
# Makes dist/: the broker as one static binary, the catalog beside it. What `cf push` sends, and what the image takes
# with `--build-arg BINARY=prebuilt`. FEATURES=otlp has the binary send spans to an OpenTelemetry collector.
set -euo pipefail
cd "$(dirname "$0")/.."

host=$(rustc -vV | sed -n 's/^host: //p')
# The target is named so that the flags are those of the program alone, not of the macros that build it.
RUSTFLAGS="-C target-feature=+crt-static" cargo build --locked --release --target "$host" \
  ${FEATURES:+--features "$FEATURES"}

rm -rf dist
mkdir -p dist/bin dist/config
cp "target/$host/release/catalog-broker" dist/bin/
cp catalog.yaml dist/
cp config/broker.yaml dist/config/
cp deploy/cloudfoundry/broker.yaml dist/config/cloudfoundry.yaml
