# Makes the files of the README's examples in an empty folder. In a clone: mkdir try && cd try && sh ../tests/docs/README.sh
: "${FIXTURES:=$(dirname "$0")/../fixtures}" "${WHY:=$(dirname "$0")/../why}"
# The reader is in a fresh clone.
mkdir tests
cp -a "$FIXTURES" tests/fixtures
# Two builds, one after the other.
cp -a "$WHY/web/cache" cache
cp "$WHY/web/dockerbuild" build.dockerbuild
cp -a "$WHY/web-command/cache" new
cp "$WHY/web-command/dockerbuild" new.dockerbuild
# The folder of the builds, in which a file has changed since.
cp -a "$WHY/web-file/context" src
# Git does not keep these modes.
chmod -R u=rwX,go=rX src
chmod 600 src/conf/b.conf
# Two jobs.
cp -a "$WHY/plat/cache" amd64
cp -a "$WHY/plat-386/cache" arm64
# A cache whose storage has lost a blob.
cp -a "$FIXTURES/app-max-manifest-oci-gzip" damaged
rm damaged/blobs/sha256/812b396e7c0c8211fcc2f50157a25cd2eb29f8e007774dcf594aa54624beda5d
