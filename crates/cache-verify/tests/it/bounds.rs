//! Bombs, large layers, and the events on the way.

use std::sync::{Arc, Mutex};

use cache_format::encode_config;
use cache_ingest::{ErrorKind, Event, Name, Progress, Step};
use cache_model::{ANNOTATION_DIFF_ID, Descriptor, MediaType};
use cache_verify::{Report, VerifyOptions, verify};

use crate::store::Store;
use crate::support::{
    GZIP, TAR, ZSTD, config, gzip, job, layer, lines, options, publish, publish_cache, sha256, tar, zstd,
};

async fn with(store: &Store, options: &VerifyOptions) -> Report {
    verify(store, &Name::Unspecified, options, &job()).await.unwrap()
}

#[tokio::test]
async fn a_bomb_is_not_decompressed_beyond_the_limit_and_its_digest_is_checked_all_the_same() {
    let zeros = vec![0; 40_000_000];
    for (media_type, blob) in [(GZIP, gzip(&zeros)), (ZSTD, zstd(&zeros))] {
        let mut store = Store::default();
        let bomb = layer(&store, media_type, blob.clone(), &zeros);
        publish_cache(&store, std::slice::from_ref(&bomb)).await;
        let limited = options().with_max_expansion(1_000_000);
        let report = with(&store, &limited).await;
        assert_eq!(
            lines(&report),
            "error expansion-limit: layer 0 (sha256:#0), needed by 1 record: it has more than 1,000,000 bytes when decompressed, the limit; its diff ID is not checked\n"
        );
        // A layer of zeros is a layer like any other below the limit, and at it.
        let exact = options().with_max_expansion(40_000_000);
        assert_eq!(lines(&with(&store, &exact).await), "");

        let mut changed = blob;
        *changed.last_mut().unwrap() ^= 1;
        store.lies.insert(bomb.digest, changed.into());
        let report = with(&store, &limited).await;
        assert_eq!(report.findings[0].kind.code(), "wrong-digest");
    }
}

/// A finding names every layer of its blob and every record that needs it. If each of many descriptors had a finding, the
/// report would grow with the square of the cache.
#[tokio::test]
async fn many_descriptors_of_one_blob_make_one_finding_of_each_kind() {
    const MANY: usize = 500;
    let store = Store::default();
    let content = tar(1, 600);
    let blob = layer(&store, TAR, content.clone(), &content);
    let stacks = vec![(&blob, -1); MANY];
    let records: Vec<i32> = (0..MANY as i32).collect();
    let text = encode_config(&config(&stacks, &records));
    let other_diff_id =
        |n: usize| blob.clone().with_annotation(ANNOTATION_DIFF_ID, &sha256(&n.to_le_bytes()).to_string());
    let no_diff_id = |n: usize| blob.clone().with_annotation(ANNOTATION_DIFF_ID, &format!("no digest {n}"));
    let other_size = |n: usize| Descriptor { size: 601 + n as u64, ..blob.clone() };
    let other_type = |n: usize| Descriptor { media_type: MediaType::new(&format!("x/{n}")), ..blob.clone() };
    let shapes: [(&dyn Fn(usize) -> Descriptor, &str); 4] = [
        (&other_diff_id, "diff-id-mismatch"),
        (&no_diff_id, "diff-id-invalid"),
        (&other_size, "short-blob"),
        (&other_type, "unknown-media-type"),
    ];
    for (descriptor, code) in shapes {
        let listed: Vec<Descriptor> = (0..MANY).map(descriptor).collect();
        publish(&store, &listed, text.clone()).await;
        let report = with(&store, &options()).await;
        let of_the_kind: Vec<_> =
            report.findings.iter().filter(|finding| finding.kind.code() == code).collect();
        let [finding] = of_the_kind[..] else { panic!("{code}: {} findings", of_the_kind.len()) };
        assert_eq!(finding.layers().len(), MANY, "{code}");
    }
}

/// Reading it for each would take the number of descriptors times the size of the blob.
#[tokio::test]
async fn a_blob_with_many_sizes_is_read_for_the_first_and_for_the_right_one() {
    let store = Store::default();
    let content = tar(1, 600);
    let blob = layer(&store, TAR, content.clone(), &content);
    let text = encode_config(&config(&[(&blob, -1)], &[0]));
    let sizes = |sizes: std::ops::Range<u64>| -> Vec<Descriptor> {
        sizes.map(|size| Descriptor { size, ..blob.clone() }).collect()
    };
    for (listed, codes) in
        [(sizes(500..700), ["long-blob", "short-blob"]), (sizes(600..700), ["short-blob"; 2])]
    {
        publish(&store, &listed, text.clone()).await;
        store.opened.lock().unwrap().clear();
        let report = with(&store, &options()).await;
        let found: Vec<_> = report.findings.iter().map(|finding| finding.kind.code()).collect();
        assert!(codes.iter().all(|code| found.contains(code)), "{found:?}");
        let opened = store.opened.lock().unwrap().iter().filter(|digest| **digest == blob.digest).count();
        assert_eq!(opened, if listed[0].size == 600 { 1 } else { 2 });
        assert_eq!((report.blobs, report.blobs_read), (1, 1));
    }
}

#[tokio::test]
async fn an_uncompressed_layer_expands_to_nothing() {
    let store = Store::default();
    let content = tar(1, 100_000);
    publish_cache(&store, &[layer(&store, TAR, content.clone(), &content)]).await;
    let limited = options().with_max_expansion(1000);
    assert_eq!(lines(&with(&store, &limited).await), "");
}

#[tokio::test]
async fn layers_of_many_more_chunks_than_may_wait_are_read_one_or_many_at_a_time() {
    let mut store = Store { chunk: 4096, ..Store::default() };
    let layers: Vec<_> = (0..6)
        .map(|n| {
            let content = tar(n, 3_000_000);
            match n % 3 {
                0 => layer(&store, GZIP, gzip(&content), &content),
                1 => layer(&store, ZSTD, zstd(&content), &content),
                _ => layer(&store, TAR, content.clone(), &content),
            }
        })
        .collect();
    publish_cache(&store, &layers).await;
    for concurrency in [0, 1, 16] {
        let job = job().with_concurrency(concurrency);
        let report = verify(&store, &Name::Unspecified, &options(), &job).await.unwrap();
        assert_eq!(lines(&report), "");
    }
    // The look at one blob ends early, and the others do not wait for it.
    store.lies.insert(layers[0].digest, gzip(&tar(9, 3_000_000)).into());
    let report = with(&store, &options()).await;
    assert_eq!(report.findings.len(), 1);
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Progress for Heard {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(match event {
            Event::Planned { blobs, bytes } => format!("planned {blobs} {bytes}"),
            Event::Started { step, descriptor } => format!("{step} {}", descriptor.size),
            Event::Transferred { bytes, .. } => format!("{bytes} bytes"),
            Event::Finished { step: Step::Check | Step::CheckMetadata, descriptor, .. } => {
                format!("checked {}", descriptor.size)
            }
            Event::Failed { step: Step::Check | Step::CheckMetadata, descriptor, .. } => {
                format!("failed {}", descriptor.size)
            }
            other => format!("{other:?}"),
        });
    }
}

/// Also for blobs with a defect, with and without reading them, and for a config that is absent.
#[tokio::test]
async fn each_start_has_one_end() {
    for defect in ["short", "wrong", "absent", "unreadable", "config"] {
        for blobs in [true, false] {
            let mut store = Store::default();
            let content = tar(1, 2500);
            let one = layer(&store, TAR, content.clone(), &content);
            if defect == "config" {
                let config = store.insert(MediaType::CACHE_CONFIG, "{}");
                publish(&store, &[one], "{}").await;
                store.memory.remove(&config.digest);
            } else {
                publish_cache(&store, std::slice::from_ref(&one)).await;
                match defect {
                    "short" => drop(store.lies.insert(one.digest, content[..9].to_vec().into())),
                    "wrong" => drop(store.lies.insert(one.digest, tar(2, 2500).into())),
                    "absent" => drop(store.memory.remove(&one.digest)),
                    _ => drop(store.failing.insert(one.digest, ErrorKind::Denied)),
                }
            }
            let open = Arc::new(Mutex::new((0, 0, 0)));
            let counts = Arc::clone(&open);
            let job = job().with_progress(move |event: &Event<'_>| match event {
                Event::Started { .. } => counts.lock().unwrap().0 += 1,
                Event::Finished { .. } => counts.lock().unwrap().1 += 1,
                Event::Failed { .. } => counts.lock().unwrap().2 += 1,
                _ => {}
            });
            verify(&store, &Name::Unspecified, &options().with_blobs(blobs), &job).await.unwrap();
            let (started, finished, failed) = *open.lock().unwrap();
            // Without reading it, the blob with other bytes looks well.
            assert_eq!(failed, u32::from(blobs || defect != "wrong"), "{defect} {blobs}");
            assert_eq!((started, finished + failed), (3, 3), "{defect} {blobs}");
        }
    }
}

#[tokio::test]
async fn each_blob_is_told_as_it_is_checked() {
    let store = Store { chunk: 1000, ..Store::default() };
    let content = tar(1, 2500);
    let one = layer(&store, TAR, content.clone(), &content);
    let gone = layer(&store, TAR, tar(2, 512), &tar(2, 512));
    publish_cache(&store, &[one, gone.clone()]).await;
    store.memory.remove(&gone.digest);
    let heard = Arc::new(Heard::default());
    let one_by_one = job().with_concurrency(1).with_progress(heard.clone());
    verify(&store, &Name::Unspecified, &options(), &one_by_one).await.unwrap();
    let heard = heard.0.lock().unwrap();
    let layers = heard.iter().rposition(|line| line.starts_with("planned")).unwrap();
    let mut events = heard[layers..].to_vec();
    events[1..].sort();
    assert_eq!(
        events,
        [
            "planned 2 3012",
            "1000 bytes",
            "1000 bytes",
            "500 bytes",
            "checked 2500",
            "checking 2500",
            "checking 512",
            "failed 512"
        ]
    );
}
