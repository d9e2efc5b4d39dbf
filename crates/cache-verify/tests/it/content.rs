//! Layers whose bytes are as the digest says, and still not what a layer should be.

use cache_ingest::Hasher;
use cache_model::{ANNOTATION_DIFF_ID, Algorithm, Descriptor, MediaType};

use crate::store::Store;
use crate::support::{GZIP, TAR, ZSTD, gzip, layer, lines, only_finding, publish_cache, report, tar, zstd};

async fn cache_of(layers: &[(&str, Vec<u8>, &[u8])]) -> Store {
    let store = Store::default();
    let layers: Vec<_> =
        layers.iter().map(|(media_type, blob, diff)| layer(&store, media_type, blob.clone(), diff)).collect();
    publish_cache(&store, &layers).await;
    store
}

/// The only finding about a cache of one layer; nothing where there is none.
async fn found(media_type: &str, blob: Vec<u8>, diff: &[u8]) -> String {
    lines(&report(&cache_of(&[(media_type, blob, diff)]).await).await)
}

#[tokio::test]
async fn each_compression_is_read_to_its_end() {
    let content = tar(1, 900_000);
    let half = content.len() / 2;
    let members = [gzip(&content[..half]), gzip(&[]), gzip(&content[half..])].concat();
    let skipped = [&[0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0][..], b"abc"].concat();
    let frames =
        [&skipped[..], &zstd(&content[..half]), &skipped, &zstd(&content[half..]), &skipped].concat();
    for (media_type, blob) in [
        (GZIP, gzip(&content)),
        (GZIP, members),
        (ZSTD, zstd(&content)),
        (ZSTD, frames),
        (TAR, content.clone()),
    ] {
        assert_eq!(found(media_type, blob, &content).await, "", "{media_type}");
    }
}

#[tokio::test]
async fn the_chunks_may_be_as_small_as_they_like() {
    let content = tar(1, 5000);
    let members = content.chunks(700).map(gzip).collect::<Vec<_>>().concat();
    let frames = content.chunks(700).map(zstd).collect::<Vec<_>>().concat();
    for chunk in [1, 2, 3, 7, 1000] {
        let mut store = cache_of(&[
            (GZIP, members.clone(), &content),
            (ZSTD, frames.clone(), &content),
            (TAR, content.clone(), &content),
        ])
        .await;
        store.chunk = chunk;
        assert_eq!(lines(&report(&store).await), "", "chunks of {chunk}");
    }
}

#[tokio::test]
async fn a_diff_id_that_the_content_does_not_have_is_told_with_the_one_that_it_has() {
    let content = tar(1, 2000);
    for (media_type, blob) in [(GZIP, gzip(&content)), (ZSTD, zstd(&content)), (TAR, content.clone())] {
        let line = found(media_type, blob, b"something else").await;
        assert!(line.starts_with("error diff-id-mismatch: layer 0 (sha256:#"), "{line}");
    }
    insta::assert_snapshot!(found(GZIP, gzip(&content), b"else").await, @"error diff-id-mismatch: layer 0 (sha256:#0), needed by 1 record: the diff ID should be sha256:#1, but the content has sha256:#2; the layer cannot be used; export the cache again");
}

#[tokio::test]
async fn every_descriptor_of_one_blob_is_held_against_it() {
    let store = Store::default();
    let content = tar(1, 2000);
    let right = layer(&store, GZIP, gzip(&content), &content);
    let wrong = layer(&store, GZIP, gzip(&content), b"something else");
    let between = layer(&store, GZIP, gzip(&tar(2, 600)), &tar(2, 600));
    let config = crate::support::config(&[(&right, -1), (&between, 0), (&right, 1)], &[2]);
    let config = cache_format::encode_config(&config);
    crate::support::publish(&store, &[right, between, wrong], config).await;
    let report = report(&store).await;
    let wrong: Vec<_> = report.findings.iter().filter(|f| f.kind.code() == "diff-id-mismatch").collect();
    assert_eq!(wrong.len(), 1);
    assert_eq!(wrong[0].layers(), [0, 2], "both layers have the blob");
}

#[tokio::test]
async fn a_diff_id_may_be_by_another_algorithm_than_the_blob() {
    let content = tar(1, 2000);
    let sha512 = Hasher::digest(Algorithm::Sha512, &content).to_string();
    let other = Hasher::digest(Algorithm::Sha512, b"else").to_string();
    for (media_type, blob) in [(GZIP, gzip(&content)), (ZSTD, zstd(&content)), (TAR, content.clone())] {
        for (diff_id, expected) in [(sha512.clone(), None), (other.clone(), Some("diff-id-mismatch"))] {
            let store = Store::default();
            let layer = store.insert(MediaType::new(media_type), blob.clone());
            publish_cache(&store, &[layer.with_annotation(ANNOTATION_DIFF_ID, &diff_id)]).await;
            let report = report(&store).await;
            let code = report.findings.first().map(|finding| finding.kind.code());
            assert_eq!(code, expected, "{media_type}");
        }
    }
}

#[tokio::test]
async fn a_layer_without_a_diff_id_is_a_warning_and_one_that_is_no_digest_an_error() {
    for (diff_id, expected) in [
        (
            None,
            "warning diff-id-missing: layer 0 (sha256:#0): it has no diff ID, and BuildKit does not use such a layer\n",
        ),
        (
            Some("sha256:beef"),
            "error diff-id-invalid: layer 0 (sha256:#0), needed by 1 record: its diff ID \"sha256:beef\" is no digest, and BuildKit does not use such a layer; export the cache again\n",
        ),
    ] {
        let store = Store::default();
        let mut layer: Descriptor = store.insert(MediaType::new(GZIP), gzip(&tar(1, 900)));
        if let Some(diff_id) = diff_id {
            layer = layer.with_annotation(ANNOTATION_DIFF_ID, diff_id);
        }
        publish_cache(&store, &[layer]).await;
        assert_eq!(lines(&report(&store).await), expected);
    }
}

#[tokio::test]
async fn content_that_belies_its_media_type_is_told_by_what_it_is() {
    let content = tar(1, 2000);
    let mut all = String::new();
    for (media_type, blob) in
        [(GZIP, zstd(&content)), (GZIP, content.clone()), (ZSTD, gzip(&content)), (TAR, gzip(&content))]
    {
        all += &found(media_type, blob, &content).await;
    }
    insta::assert_snapshot!(all, @r"
    error media-type-mismatch: layer 0 (sha256:#0), needed by 1 record: the media type is application/vnd.oci.image.layer.v1.tar+gzip, but the content is zstd; export the cache again
    error media-type-mismatch: layer 0 (sha256:#0), needed by 1 record: the media type is application/vnd.oci.image.layer.v1.tar+gzip, but the content is uncompressed; export the cache again
    error media-type-mismatch: layer 0 (sha256:#0), needed by 1 record: the media type is application/vnd.oci.image.layer.v1.tar+zstd, but the content is gzip; export the cache again
    error media-type-mismatch: layer 0 (sha256:#0), needed by 1 record: the media type is application/vnd.oci.image.layer.v1.tar, but the content is gzip; export the cache again
    ");
}

#[tokio::test]
async fn an_unknown_media_type_is_a_warning_and_its_content_is_checked_where_it_can_be() {
    let content = tar(1, 2000);
    let mut all = String::new();
    for blob in [gzip(&content), zstd(&content), content.clone(), b"xz or so".to_vec()] {
        all += &found("application/x-layer", blob, &content).await;
    }
    all += &found("", gzip(&content), &content).await;
    all += &found("application/x-layer", gzip(&content), b"else").await;
    insta::assert_snapshot!(all, @r"
    warning unknown-media-type: layer 0 (sha256:#0): application/x-layer is no known media type of a layer; some programs cannot read it; export the cache again with a known one
    warning unknown-media-type: layer 0 (sha256:#0): application/x-layer is no known media type of a layer; some programs cannot read it; export the cache again with a known one
    warning unknown-media-type: layer 0 (sha256:#0): application/x-layer is no known media type of a layer; some programs cannot read it; export the cache again with a known one
    warning unknown-media-type: layer 0 (sha256:#0): application/x-layer is no known media type of a layer; some programs cannot read it; export the cache again with a known one
    warning unknown-media-type: layer 0 (sha256:#0): it has no media type; some programs cannot read it; export the cache again with a known one
    warning unknown-media-type: layer 0 (sha256:#0): application/x-layer is no known media type of a layer; some programs cannot read it; export the cache again with a known one
    error diff-id-mismatch: layer 0 (sha256:#0), needed by 1 record: the diff ID should be sha256:#1, but the content has sha256:#2; the layer cannot be used; export the cache again
    ");
}

#[tokio::test]
async fn content_that_cannot_be_decompressed_says_why() {
    let content = tar(1, 200_000);
    let damaged = |mut blob: Vec<u8>| {
        let at = blob.len() / 2;
        blob[at] ^= 0xff;
        blob[at + 1] ^= 0xff;
        blob
    };
    let cut = |mut blob: Vec<u8>, less: usize| {
        blob.truncate(blob.len() - less);
        blob
    };
    let more = |blob: Vec<u8>, more: &[u8]| [&blob, more].concat();
    let mut all = String::new();
    for (media_type, blob) in [
        (GZIP, b"no gzip at all".to_vec()),
        (GZIP, Vec::new()),
        (GZIP, cut(gzip(&content), 1)),
        (GZIP, cut(gzip(&content), 50_000)),
        (GZIP, more(gzip(&content), b"\0")),
        (GZIP, more(gzip(&content), &[0; 512])),
        (GZIP, more(gzip(&content), b"\x1f\x8b\x08")),
        (ZSTD, b"no zstd at all".to_vec()),
        (ZSTD, cut(zstd(&content), 1)),
        (ZSTD, cut(zstd(&content), 50_000)),
        (ZSTD, more(zstd(&content), b"\0")),
        (ZSTD, more(zstd(&content), b"garbage")),
        (ZSTD, more(zstd(&content), &[0x28, 0xb5, 0x2f, 0xfd])),
    ] {
        all += &found(media_type, blob, &content).await;
    }
    insta::assert_snapshot!(all);
    for (media_type, blob) in [(GZIP, damaged(gzip(&content))), (ZSTD, damaged(zstd(&content)))] {
        let line = found(media_type, blob, &content).await;
        let known =
            line.starts_with("error not-decompressible") || line.starts_with("error diff-id-mismatch");
        assert!(known && line.lines().count() == 1, "{line}");
    }
}

#[tokio::test]
async fn a_blob_with_the_wrong_digest_has_no_finding_about_its_decompression() {
    let content = tar(1, 200_000);
    let mut store = cache_of(&[(GZIP, gzip(&content), &content)]).await;
    let digest = *store.memory.digests().iter().find(|d| store.memory.blob(d).unwrap().len() > 9000).unwrap();
    let mut blob = store.memory.blob(&digest).unwrap().to_vec();
    blob[5000] ^= 0xff;
    store.lies.insert(digest, blob.into());
    assert_eq!(only_finding(&store).await.0, "wrong-digest");
}
