#!/bin/sh
# Asks a BuildKit whether `bkcache why` and `bkcache predict` are right. It starts a buildkitd of its own, which needs root
# or rootlesskit, and builds twice without any network. It needs buildkitd and buildctl on the path, and ends with
# "skipped" without them.
#
#   why.sh [BKCACHE]    BKCACHE is the program, by default bkcache on the path
set -eu

bkcache=${1:-bkcache}
for program in buildkitd buildctl; do
    if ! command -v "$program" >/dev/null; then
        echo "skipped: $program is not on the path"
        exit 0
    fi
done

work=$(mktemp -d)
address=unix://$work/buildkitd.sock
buildkitd --root "$work/root" --addr "$address" --containerd-worker=false --oci-worker-snapshotter=native \
    >"$work/buildkitd.log" 2>&1 &
daemon=$!
end() {
    kill "$daemon" 2>/dev/null || true
    wait "$daemon" 2>/dev/null || true
    rm -rf "$work"
}
trap end EXIT

tries=60
until buildctl --addr "$address" debug workers >/dev/null 2>&1; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ]; then
        echo "buildkitd did not start:" >&2
        cat "$work/buildkitd.log" >&2
        exit 1
    fi
    sleep 0.5
done

mkdir -p "$work/context/src" "$work/context/docs"
cat >"$work/context/Dockerfile" <<'DOCKERFILE'
FROM scratch AS made
COPY src /src
COPY docs /docs
FROM scratch
COPY --from=made /docs /docs
COPY --from=made /src /src
COPY docs/page /page
DOCKERFILE
echo one >"$work/context/src/a"
echo page >"$work/context/docs/page"

# build NAME [OPTION...]: exports the cache NAME and the image NAME.image, whose attestation is the build record.
build() {
    name=$1
    shift
    buildctl --addr "$address" prune --all >/dev/null
    buildctl --addr "$address" build --progress plain --frontend dockerfile.v0 \
        --local context="$work/context" --local dockerfile="$work/context" \
        --opt attest:provenance=mode=max --output "type=oci,dest=$work/$name.image,tar=false" \
        --export-cache "type=local,dest=$work/$name,mode=max" "$@" >"$work/$name.log" 2>&1 || {
        cat "$work/$name.log" >&2
        exit 1
    }
}

# check WHAT EXPECTED ACTUAL
check() {
    if [ "$2" != "$3" ]; then
        echo "$1: expected $2, not $3" >&2
        exit 1
    fi
    echo "$1: $3"
}

build old
cp -r "$work/context" "$work/was"
echo two >"$work/context/src/a"
build new --import-cache "type=local,src=$work/old"
by_buildkit=$(grep -c ' CACHED$' "$work/new.log" || true)

# number NAME: a number at the top of the JSON on the standard input.
number() {
    tr -d ' \n' | sed -n "s/.*\"$1\":\([0-9]*\)[,}].*/\1/p"
}

"$bkcache" why "$work/new" --was "$work/old" --record "oci:$work/new.image" --was-record "oci:$work/old.image" \
    --context "$work/context" --was-context "$work/was"
cached=$("$bkcache" why --json "$work/new" --was "$work/old" --record "oci:$work/new.image" | number cached)
check "cached steps" "$by_buildkit" "$cached"
cached=$("$bkcache" predict --json "$work/old" --record "oci:$work/new.image" --context "$work/context" | number hits)
check "predicted hits" "$by_buildkit" "$cached"
