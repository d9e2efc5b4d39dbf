#!/usr/bin/env bash
# Installs the archive of a version for this runner, after its checksum was compared.
# Reads BKCACHE_VERSION, BKCACHE_SHA256 (optional), BKCACHE_RELEASES, RUNNER_OS, RUNNER_ARCH, RUNNER_TEMP and GITHUB_PATH.
set -euo pipefail

fail() {
    echo "::error title=bkcache::$1"
    exit 1
}

case "$RUNNER_OS-$RUNNER_ARCH" in
Linux-X64) target=x86_64-unknown-linux-musl ;;
Linux-ARM64) target=aarch64-unknown-linux-musl ;;
macOS-X64) target=x86_64-apple-darwin ;;
macOS-ARM64) target=aarch64-apple-darwin ;;
Windows-X64) target=x86_64-pc-windows-msvc ;;
*) fail "there is no archive for a runner of $RUNNER_OS on $RUNNER_ARCH" ;;
esac

version=${BKCACHE_VERSION#v}
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+(-[0-9A-Za-z.-]+)?$ ]] || fail "the version $BKCACHE_VERSION is none: give one such as 1.2.3"
name=bkcache-$version-$target
url=$BKCACHE_RELEASES/v$version/$name.tar.gz
folder=$RUNNER_TEMP/bkcache-$version
mkdir -p "$folder"
cd "$folder"

fetch() {
    curl --fail --silent --show-error --location --retry 3 --output "$2" "$1" || fail "cannot fetch $1"
}

fetch "$url" "$name.tar.gz"
expected=${BKCACHE_SHA256:-}
if [ -z "$expected" ]; then
    fetch "$url.sha256" "$name.tar.gz.sha256"
    read -r expected _ <"$name.tar.gz.sha256"
fi
# macOS has shasum only.
if command -v sha256sum >/dev/null; then
    actual=$(sha256sum <"$name.tar.gz")
else
    actual=$(shasum -a 256 <"$name.tar.gz")
fi
actual=${actual%% *}
if [ "$actual" != "$expected" ]; then
    rm "$name.tar.gz"
    fail "$url has the checksum $actual, and not $expected: nothing was installed"
fi

tar -xzf "$name.tar.gz"
rm "$name.tar.gz"
echo "$folder/$name" >>"$GITHUB_PATH"
