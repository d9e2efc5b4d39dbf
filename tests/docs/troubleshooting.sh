# Caches that are wrong in one way each. Most have two layers, `one` and `two`, and a record for each.
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
# keys FILTER: two roots, and the records that a filter of jq gives.
keys() {
    jq -nc "[{digest: \"r\"}, {digest: \"s\"}, $1] | map(.digest |= \"sha256:\" + .)"
}
# Records 3, 5 and 6 become one; the only link of the first input of 4 would then close a cycle.
cache $in/left-out "{\"records\":$(keys '
    {digest: "x", inputs: [[{link: 0}]]}, {digest: "x", inputs: [[{link: 1}]]}, {digest: "w", inputs: [[{link: 3}], [{link: 0}]]},
    {digest: "x", inputs: [[{link: 0}, {link: 4}]]}, {digest: "x", inputs: [[{link: 0}, {link: 1}]]}')}" "$a"
# Each record shares a link of an input with half of the others, and all of its links with none.
cache $in/tangled "{\"records\":$(keys 'range(2048) as $n |
    {digest: "x", inputs: [range(11) as $bit | [{link: (($n / pow(2; $bit) | floor) % 2)}]]}')}" "$a"
# All records share the link of one input, and none of the links of the other.
cache $in/merge-tangled "{\"records\":$(keys 'range(175) as $n |
    {digest: "x", inputs: [[{link: 0}], [range(180) | {selector: "\($n) \(.)", link: 1}]]}')}" "$a"

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
# An index of more manifests than are looked at.
cp -r image many
jq -c '.manifests += [range(1000) | {mediaType: "application/vnd.oci.image.manifest.v1+json", size: 100,
    digest: "sha256:\("0" * 60)\(. + 1000)"}]' image/index.json >parts/many
publish many parts/many application/vnd.oci.image.index.v1+json

# Caches whose layer of one COPY is not as its key says: three that were recorded, and others that are made of an honest one.
for case in content-planted content-changed content-setuid; do
    cp -a "$WHY/$case" .
done
cp -a "$WHY/content-honest-wildcards" honest
layer=sha256:0fae8e6b729b1e4142486c23809e70222413da80902e45da3478745f1de9ad21
# dishonest FOLDER TAR FILTER: the honest cache with this tar as the layer, and with its config after a filter of jq.
dishonest() {
    cp -r honest/cache "$1"
    gzip -nc "$2" >parts/layer
    bkcache config "$1" | jq -j "$3" | sed "s/$layer/$(digest parts/layer)/" >parts/config
    image=$(bkcache manifest "$1") manifest_of parts/config |
        jq -j --arg tar "$(digest "$2")" --arg layer "$(digest parts/layer)" --argjson size "$(wc -c <parts/layer)" \
            '.layers[0] |= (.digest = $layer | .size = $size | .annotations["containerd.io/uncompressed"] = $tar)' >parts/manifest
    store "$1" parts/layer
    store "$1" parts/config
    publish "$1" parts/manifest application/vnd.oci.image.manifest.v1+json
}
gzip -dc "honest/cache/blobs/sha256/${layer#sha256:}" >parts/tar
tar -xf parts/tar -C parts
packed() {
    tar -C parts --owner=0 --group=0 --sort=name "$@" -c c
}
packed --exclude=util.c >parts/missing
packed --owner=1000 >parts/owner
packed --pax-option=SCHILY.xattr.security.capability:=any >parts/capabilities
for name in missing owner capabilities; do
    dishonest content-$name parts/$name .
done
dishonest content-layers parts/tar '.layers[0].parent = 4'
dishonest content-unreadable parts/hello .

# A repository with a cache.
bkcache copy -q "$FIXTURES/app-max-manifest-oci-gzip" registry.example.com/app:cache
