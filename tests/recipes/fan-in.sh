#!/bin/sh
# A matrix of CI jobs that share one cache. Each leg of the matrix builds from IMAGE:cache, and pushes its own cache under
# a tag of its own, so no leg overwrites the cache of another. One last job merges them into IMAGE:cache.
#
#   fan-in.sh leg IMAGE LEG [OPTION...] CONTEXT    in each job of the matrix; options are those of docker build
#   fan-in.sh merge IMAGE LEG...                   in one job that waits for all of them
#
# IMAGE is HOST/REPOSITORY. The jobs need docker and bkcache, and have logged in to the registry with docker login.
set -eu

# The cache lies inside the pushed image. With buildx it can have a tag of its own, and the steps of all stages:
#   docker buildx build --cache-from "$image:cache" --cache-to "type=registry,ref=$image:$leg,mode=max" ...
leg() {
    image=$1 leg=$2
    shift 2
    DOCKER_BUILDKIT=1 docker build --build-arg "LEG=$leg" --build-arg BUILDKIT_INLINE_CACHE=1 \
        --cache-from "$image:cache" --tag "$image:$leg" "$@"
    docker push "$image:$leg"
}

# --append also keeps what IMAGE:cache has: steps of other branches, and steps that a leg took from it. BuildKit leaves
# the layers of such steps out of the cache inside an image.
# --form index is for Docker 20.10, which reads no other cache with a tag of its own. Omit it for newer versions, and if
# the registry refuses indexes.
merge() {
    image=$1
    shift
    for leg; do
        set -- "$@" "$image:$leg"
        shift
    done
    bkcache merge --append --form index "$@" "$image:cache"
    bkcache prune --in-place --older-than 14d --keep-bytes 5GB --fit buildkit "$image:cache"
    bkcache verify --no-read "$image:cache"
}

job=${1:-}
case $job in
leg | merge)
    shift
    "$job" "$@"
    ;;
*)
    echo "usage: fan-in.sh leg IMAGE LEG [OPTION...] CONTEXT | fan-in.sh merge IMAGE LEG..." >&2
    exit 2
    ;;
esac
