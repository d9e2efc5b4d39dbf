# Caches that are damaged in one way each. What they are made of is two layers, `one` and `two`, and a record for each.
date=2026-11-24T00:00:00Z
tar=application/vnd.oci.image.layer.v1.tar

digest() {
    printf 'sha256:%s' "$(sha256sum "$1" | cut -d ' ' -f 1)"
}

# layer NAME MEDIATYPE DIFFID: the descriptor of the file NAME.
layer() {
    printf '{"mediaType":"%s","digest":"%s","size":%s' "$2" "$(digest "$1")" "$(wc -c <"$1")"
    [ -z "${3-}" ] || printf ',"annotations":{"containerd.io/uncompressed":"%s"}' "$3"
    printf '}'
}

# store FOLDER FILE: puts a file among the blobs.
store() {
    cp "$2" "$1/blobs/sha256/$(sha256sum "$2" | cut -d ' ' -f 1)"
}

# publish FOLDER MANIFEST MEDIATYPE: names a manifest.
publish() {
    store "$1" "$2"
    printf '{"imageLayoutVersion":"1.0.0"}' >"$1/oci-layout"
    printf '{"schemaVersion":2,"manifests":[{"mediaType":"%s","digest":"%s","size":%s,"annotations":{"org.opencontainers.image.ref.name":"latest"}}]}' \
        "$3" "$(digest "$2")" "$(wc -c <"$2")" >"$1/index.json"
}

# cache FOLDER CONFIG LAYER...: a cache in the form index, with this text as its config and these layers.
cache() {
    folder=$1
    mkdir -p "$folder/blobs/sha256"
    printf '%s' "$2" >config
    shift 2
    for file in one two three; do
        store "$folder" "$file"
    done
    store "$folder" config
    printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s{"mediaType":"application/vnd.buildkit.cacheconfig.v0","digest":"%s","size":%s}]}' \
        "$(printf '%s,' "$@")" "$(digest config)" "$(wc -c <config)" >manifest
    publish "$folder" manifest application/vnd.oci.image.index.v1+json
}

# record NAME LAYER LINK: a record with one result, and one link unless it is empty.
record() {
    printf '{"digest":"sha256:%s","layers":[{"layer":%s,"createdAt":"%s"}]' \
        "$(printf '%s' "$1" | sha256sum | cut -d ' ' -f 1)" "$2" "$date"
    [ -z "${3-}" ] || printf ',"inputs":[[{"link":%s}]]' "$3"
    printf '}'
}

parts=$PWD/parts
mkdir "$parts"
cd "$parts"
echo hello >hello
for name in one two; do
    tar --mtime=@0 --owner=0 --group=0 --sort=name -cf "$name" --transform "s/hello/$name/" hello
done
head -c 100 <(gzip -nc one) >three
a=$(layer one $tar "$(digest one)")
b=$(layer two $tar "$(digest two)")
one="{\"blob\":\"$(digest one)\",\"parent\":-1}"
two="{\"blob\":\"$(digest two)\",\"parent\":0}"
three="{\"blob\":\"$(digest three)\",\"parent\":0}"
first=$(record first 0)
second=$(record second 1 0)
both="\"layers\":[$one,$two],\"records\":[$first,$second]"

in=..
cache $in/sound "{$both}" "$a" "$b"
cache $in/large "{$both}$(printf '%1100000s' '')" "$a" "$b"
cache $in/cut '{"layers":' "$a" "$b"
cache $in/unsound "{\"layers\":[$one],\"records\":[$(record first 7)]}" "$a"
cache $in/extra "{\"layers\":[$one],\"records\":[$first]}" "$a" "$b"
cache $in/twice "{\"layers\":[$one,$one],\"records\":[$first,$(record second 1 0)]}" "$a"
cache $in/unused "{\"layers\":[$one,$two],\"records\":[$first]}" "$a" "$b"
cache $in/mislabelled "{$both}" "$a" "$(layer two $tar+gzip "$(digest two)")"
cache $in/unknown "{$both}" "$a" "$(layer two application/vnd.example.layer "$(digest two)")"
cache $in/undecodable "{\"layers\":[$one,$three],\"records\":[$first,$second]}" "$a" "$(layer three $tar+gzip "$(digest one)")"
cache $in/other-diff-id "{$both}" "$a" "$(layer two $tar "$(digest one)")"
cache $in/no-diff-id "{$both}" "$a" "$(layer two $tar)"
cache $in/odd-diff-id "{$both}" "$a" "$(layer two $tar odd)"
cache $in/unlisted "{$both}" "$a"
cache $in/repeated "{\"layers\":[$one,$two],\"records\":[$first,$second,$second]}" "$a" "$b"
cache $in/cycle "{\"layers\":[$one,$two],\"records\":[$first,$(record x 1 2),$(record y 1 1)]}" "$a" "$b"

# The form manifest, with the layers in another order.
bkcache copy -q --form manifest $in/sound $in/reordered
sed "s|\($(printf '%s' "$a" | sed 's/[.*[]/\\&/g')\),\($(printf '%s' "$b" | sed 's/[.*[]/\\&/g')\)|\2,\1|" \
    "$in/reordered/blobs/sha256/$(bkcache manifest $in/reordered | sha256sum | cut -d ' ' -f 1)" >manifest
publish $in/reordered manifest application/vnd.oci.image.manifest.v1+json

# A manifest that cannot be understood.
mkdir -p $in/odd/blobs/sha256
printf '{"schemaVersion":2,"manifests":[{"digest":"sha256:0","size":1}]}' >manifest
publish $in/odd manifest application/vnd.oci.image.index.v1+json

# Images: one without a cache, two with one. One of them is gone, and one has a short history.
cd ..
for damage in sound-gzip missing short long other unreadable; do
    cp -r "$FIXTURES/app-max-manifest-oci-gzip" $damage
done
blob=blobs/sha256/2d8e0f4f7ab80e41eb7ecd327341f550c33778be7dc4bd878ed04fcfcd42b545
rm missing/$blob unreadable/$blob
truncate -s -1 short/$blob
echo >>long/$blob
truncate -s -1 other/$blob
echo >>other/$blob
mkdir unreadable/$blob

cp -r "$FIXTURES/inline-oci-true" image
image=$(bkcache manifest image)
config=$(printf '%s' "$image" | jq -r .config.digest)
manifest_of() {
    jq -c --arg digest "$(digest "$1")" --argjson size "$(wc -c <"$1")" \
        '.config.digest = $digest | .config.size = $size' <<<"$image"
}
jq -c '.history |= [.[0]]' "image/blobs/sha256/${config#sha256:}" >parts/short-history
jq -c 'del(.["moby.buildkit.cache.v0"])' "image/blobs/sha256/${config#sha256:}" >parts/plain
for name in short-history plain; do
    cp -r image $name
    manifest_of parts/$name | tr -d '\n' >parts/$name.manifest
    store $name parts/$name
    publish $name parts/$name.manifest application/vnd.oci.image.manifest.v1+json
done
cp -r image images
store images parts/plain
store images parts/plain.manifest
entry() {
    printf '{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"%s","size":%s}' "$1" "$2"
}
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[%s,%s,%s]}' \
    "$(entry "$(bkcache manifest image | sha256sum | sed 's/^/sha256:/; s/ .*//')" "$(bkcache manifest image | wc -c)")" \
    "$(entry "$(digest parts/plain.manifest)" "$(wc -c <parts/plain.manifest)")" \
    "$(entry "sha256:$(printf gone | sha256sum | cut -d ' ' -f 1)" 100)" >parts/list
publish images parts/list application/vnd.oci.image.index.v1+json
for case in content-planted content-changed content-setuid content-outside; do
    cp -a "$WHY/$case" .
done
# A repository with a cache.
bkcache copy -q "$FIXTURES/app-max-manifest-oci-gzip" registry.example.com/app:cache
