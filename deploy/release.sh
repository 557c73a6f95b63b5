#!/usr/bin/env bash
# Makes a release: an archive with the static binary, a Debian package, what they are made of (SBOM), the licences of that,
# and checksums.
#
#   deploy/release.sh                     builds the binary (config/dist.sh), and packs it into dist/release/
#   BINARY=PATH deploy/release.sh FOLDER  packs a binary that is there
#
# The same sources and the same binary give the same bytes: times are those of the last commit, or SOURCE_DATE_EPOCH. Needs
# Rust's cargo, Python 3.11, tar, gzip, readelf and dpkg-deb. MAINTAINER is who the package says to write to.
set -euo pipefail
cd "$(dirname "$0")/.."
export LC_ALL=C
umask 022

out=${1:-dist/release}
if [ -z "${BINARY:-}" ]; then
  config/dist.sh
  BINARY=dist/bin/catalog-broker
fi
name=catalog-broker
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
target=$(rustc -vV | sed -n 's/^host: //p')
case $target in
  x86_64-*) architecture=amd64 ;;
  aarch64-*) architecture=arm64 ;;
  *)
    echo "deploy/release.sh: what does Debian call $target?" >&2
    exit 2
    ;;
esac
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
said=$("$BINARY" --version)
if [ "$said" != "$name $version" ]; then
  echo "deploy/release.sh: $BINARY is \"$said\", and this is version $version" >&2
  exit 2
fi

mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
rm -f "$out/$name"[-_]* "$out/SHA256SUMS"

python3 deploy/sbom.py "$target" "$BINARY" >"$work/sbom.json"
python3 deploy/licences.py "$target" >"$work/third-party.txt"

# files FOLDER: what the documents name, as it lies in the repository.
files() {
  mkdir -p "$1/config"
  cp README.md CHANGELOG.md "$1/"
  cp config/*.schema.json "$1/config/"
  cp -R config/examples "$1/config/examples"
  cp -R deploy "$1/deploy"
  rm -rf "$1/deploy/release.sh" "$1/deploy/debian" "$1"/deploy/*.py "$1"/deploy/*/secrets
  cp "$work/third-party.txt" "$1/"
  cp "$work/sbom.json" "$1/$name.cdx.json"
}

# Times and rights of all in a folder, whatever they are here.
settled() {
  find "$1" -type d -exec chmod 755 {} +
  find "$1" -type f ! -perm -u+x -exec chmod 644 {} +
  find "$1" -type f -perm -u+x -exec chmod 755 {} +
  find "$1" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
}

archive() {
  local folder=$name-$version-$target
  local stage=$work/archive/$folder
  mkdir -p "$stage/bin" "$stage/config"
  install -m 755 "$BINARY" "$stage/bin/$name"
  files "$stage"
  cp LICENSE catalog.yaml "$stage/"
  cp config/broker.yaml "$stage/config/"
  settled "$stage"
  tar --create --directory="$work/archive" --sort=name --owner=0 --group=0 --numeric-owner \
    --mtime="@$SOURCE_DATE_EPOCH" "$folder" | gzip --no-name >"$out/$folder.tar.gz"
}

package() {
  local stage=$work/package
  local share=$stage/usr/share
  mkdir -p "$stage/DEBIAN" "$stage/usr/bin" "$stage/usr/lib/systemd/system" "$stage/etc/$name" "$share/doc/$name" \
    "$share/$name" "$share/bash-completion/completions" "$share/zsh/vendor-completions" "$share/fish/vendor_completions.d"
  install -m 755 "$BINARY" "$stage/usr/bin/$name"
  cp deploy/systemd/catalog-broker.service "$stage/usr/lib/systemd/system/"
  cp deploy/debian/broker.yaml "$stage/etc/$name/"
  sed "s|=config/catalog.schema.json|=/usr/share/$name/catalog.schema.json|" catalog.yaml >"$stage/etc/$name/catalog.yaml"
  cp config/*.schema.json "$share/$name/"
  files "$share/doc/$name"
  rm -r "$share/doc/$name"/config/*.schema.json
  mv "$share/doc/$name/CHANGELOG.md" "$share/doc/$name/changelog"
  gzip --no-name --best "$share/doc/$name/changelog"
  cp config/broker.yaml "$share/doc/$name/"
  { cat deploy/debian/copyright && sed -e 's/^$/./' -e 's/^/ /' LICENSE; } >"$share/doc/$name/copyright"
  "$BINARY" completions bash >"$share/bash-completion/completions/$name"
  "$BINARY" completions zsh >"$share/zsh/vendor-completions/_$name"
  "$BINARY" completions fish >"$share/fish/vendor_completions.d/$name.fish"

  install -m 755 deploy/debian/postinst deploy/debian/prerm deploy/debian/postrm "$stage/DEBIAN/"
  (cd "$stage" && find etc -type f -printf '/%p\n' | sort) >"$stage/DEBIAN/conffiles"
  (cd "$stage" && find etc usr -type f -print0 | sort --zero-terminated | xargs -0 md5sum) >"$stage/DEBIAN/md5sums"
  cat >"$stage/DEBIAN/control" <<END
Package: $name
Version: $version
Architecture: $architecture
Maintainer: ${MAINTAINER:-The catalog-broker authors <catalog-broker@example.com>}
Installed-Size: $(du --summarize --apparent-size --block-size=1K --exclude=DEBIAN "$stage" | cut -f 1)
Depends: passwd
Suggests: postgresql
Section: net
Priority: optional
Description: Open Service Broker that is configured, not programmed
 Serves what a document offers over the Open Service Broker API 2.17 to Cloud
 Foundry, Korifi or any other platform, and remembers instances and bindings
 in a file, in PostgreSQL, or not at all.
END
  settled "$stage"
  dpkg-deb --root-owner-group --build "$stage" "$out/${name}_${version}_$architecture.deb" >/dev/null
}

archive
package
cp "$work/sbom.json" "$out/$name-$version-$target.cdx.json"
(cd "$out" && sha256sum -- "$name"[-_]* >SHA256SUMS)
cat "$out/SHA256SUMS"
