# Two caches of one build, two of another with their records, and a step that some other program ran.
cp -r "$FIXTURES/app-max-manifest-oci-gzip" cache
cp -r "$FIXTURES/changed-source" other
cp -r "$WHY/web/cache" old
cp -r "$WHY/web/context" context
cp "$WHY/web/dockerbuild" old.dockerbuild
cp -r "$WHY/web-file/cache" new
cp "$WHY/web-file/dockerbuild" new.dockerbuild

mkdir tree layers
echo hello >tree/hello
tar -C tree -cf layer.tar hello
digest=$(sha256sum layer.tar | cut -d ' ' -f 1)
size=$(wc -c <layer.tar)
mkdir layers/sha256
mv layer.tar "layers/sha256/$digest"
cat >build.ndjson <<RECORDS
{"digest":"sha256:$(printf 'sha256:base@0' | sha256sum | cut -d ' ' -f 1)","results":[{"createdAt":"2026-11-24T00:00:00Z","layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar","digest":"sha256:$digest","size":$size,"annotations":{"containerd.io/uncompressed":"sha256:$digest"}}]}]}
RECORDS
