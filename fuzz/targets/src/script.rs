//! Scripts of adds, read from any bytes. There are few digests, selectors, layers and times, so that adds overlap often.
//!
//! A script converts to the types of the reference and of the model; it compares nothing.

use arbitrary::{Arbitrary, Unstructured};
use cache_model::{Descriptor, MediaType, Timestamp};

/// The limits of a script. Larger scripts would find no more and take longer.
const MOST_ADDS: usize = 20;
const MOST_INPUTS: usize = 3;
const MOST_LINKS: usize = 4;
const MOST_RESULTS: usize = 3;
const MOST_LAYERS: usize = 4;

const DIGESTS: [&str; 7] = [
    "sha256:0000000000000000000000000000000000000000000000000000000000000000",
    "sha256:0101010101010101010101010101010101010101010101010101010101010101",
    "sha256:fefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefefe",
    "sha256:0",
    "a",
    "",
    "random:0",
];
const SELECTORS: [&str; 4] = ["", "a", "<b>", "/src"];
/// Instants as numbers in their order, with their texts; some instants have two.
const TIMES: [(i128, &str); 8] = [
    (1, "2026-01-02T03:04:05Z"),
    (1, "2026-01-02T04:04:05+01:00"),
    (2, "2026-01-02T03:04:05.5Z"),
    (2, "2026-01-02T02:34:05.5-00:30"),
    (3, "2026-01-02T03:04:06.123456789Z"),
    (3, "2026-01-03T01:04:06.123456789+22:00"),
    (0, "0001-01-01T00:00:00Z"),
    (4, "9999-12-31T23:59:59Z"),
];
/// The media types of layers, as added and in the OCI dialect.
const MEDIA_TYPES: [(&str, &str); 5] = [
    ("application/vnd.docker.image.rootfs.diff.tar.gzip", "application/vnd.oci.image.layer.v1.tar+gzip"),
    ("application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.oci.image.layer.v1.tar+zstd"),
    ("application/x-unknown", "application/x-unknown"),
    ("", ""),
    (
        "application/vnd.docker.image.rootfs.foreign.diff.tar",
        "application/vnd.oci.image.layer.nondistributable.v1.tar",
    ),
];

/// A script as the bytes describe it.
#[derive(Debug, Arbitrary)]
struct Raw {
    absent: u8,
    adds: Vec<RawAdd>,
}

#[derive(Debug, Arbitrary)]
struct RawAdd {
    digest: u8,
    inputs: Vec<Vec<RawLink>>,
    results: Vec<RawResult>,
}

#[derive(Debug, Arbitrary)]
struct RawLink {
    /// The distance back to the source, in adds.
    source: u8,
    selector: u8,
}

#[derive(Debug, Arbitrary)]
struct RawResult {
    time: u8,
    layers: Vec<u8>,
}

/// A script of adds.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) adds: Vec<Add>,
    /// The blobs that are absent from the store.
    pub(crate) absent: Vec<String>,
}

/// One add.
#[derive(Clone, Debug)]
pub(crate) struct Add {
    pub(crate) digest: &'static str,
    pub(crate) inputs: Vec<Vec<Link>>,
    pub(crate) results: Vec<Outcome>,
}

/// A link to an earlier add, by its position.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) source: usize,
    pub(crate) selector: &'static str,
}

/// A result.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) instant: i128,
    pub(crate) time: &'static str,
    /// Lowest first.
    pub(crate) layers: Vec<Layer>,
}

/// A layer: a blob and one of its descriptors.
#[derive(Clone, Debug)]
pub(crate) struct Layer {
    blob: u8,
    variant: u8,
}

impl Script {
    /// Reads a script from bytes.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let raw = Raw::arbitrary(&mut Unstructured::new(bytes)).ok()?;
        let blobs = 0..u8::try_from(MEDIA_TYPES.len()).ok()?;
        let absent = blobs.filter(|blob| raw.absent >> blob & 1 == 1);
        let absent = absent.map(|blob| Layer { blob, variant: 0 }.blob()).collect();
        let adds = raw.adds.iter().take(MOST_ADDS).enumerate().map(|(at, add)| add.resolved(at)).collect();
        Some(Self { adds, absent })
    }
}

impl RawAdd {
    fn resolved(&self, at: usize) -> Add {
        let link = |raw: &RawLink| {
            let back = usize::from(raw.source).checked_rem(at)?;
            let selector = SELECTORS[usize::from(raw.selector) % SELECTORS.len()];
            Some(Link { source: at - 1 - back, selector })
        };
        let links = |raw: &Vec<RawLink>| raw.iter().take(MOST_LINKS).filter_map(link).collect();
        Add {
            digest: DIGESTS[usize::from(self.digest) % DIGESTS.len()],
            inputs: self.inputs.iter().take(MOST_INPUTS).map(links).collect(),
            results: self.results.iter().take(MOST_RESULTS).map(RawResult::resolved).collect(),
        }
    }
}

impl RawResult {
    fn resolved(&self) -> Outcome {
        let (instant, time) = TIMES[usize::from(self.time) % TIMES.len()];
        let layer = |byte: &u8| Layer { blob: byte % 5, variant: byte / 5 % 3 };
        Outcome { instant, time, layers: self.layers.iter().take(MOST_LAYERS).map(layer).collect() }
    }
}

impl Add {
    /// The add for the reference.
    pub(crate) fn as_text(&self) -> reference::Add<'static> {
        let layer = |layer: &Layer| reference::Layer { blob: layer.blob(), exported: layer.exported() };
        let result = |result: &Outcome| reference::Outcome {
            instant: result.instant,
            time: result.time,
            layers: result.layers.iter().map(layer).collect(),
        };
        let links =
            |links: &Vec<Link>| links.iter().map(|link| (link.source, link.selector)).collect::<Vec<_>>();
        reference::Add {
            digest: self.digest,
            inputs: self.inputs.iter().map(links).collect(),
            results: self.results.iter().map(result).collect(),
        }
    }
}

impl Outcome {
    /// The time for the model.
    pub(crate) fn created_at(&self) -> Timestamp {
        self.time.parse().expect("the times are well-formed")
    }
}

impl Layer {
    /// The digest of the blob.
    pub(crate) fn blob(&self) -> String {
        format!("sha256:{}", format!("{:02x}", self.blob).repeat(32))
    }

    /// The text of the exported descriptor, in the OCI dialect.
    pub(crate) fn exported(&self) -> String {
        let (_, media_type) = MEDIA_TYPES[usize::from(self.blob)];
        let (digest, size) = (self.blob(), self.size());
        let annotations = match self.variant {
            1 => r#","annotations":{"variant":"1"}"#,
            _ => "",
        };
        format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{annotations}}}"#)
    }

    /// The descriptor for the model. Variant 2 differs from the plain one only in its dialect.
    pub(crate) fn descriptor(&self) -> Descriptor {
        let (given, oci) = MEDIA_TYPES[usize::from(self.blob)];
        let media_type = MediaType::new(if self.variant == 2 { oci } else { given });
        let digest = self.blob().parse().expect("the digests are well-formed");
        let plain = Descriptor::new(media_type, digest, self.size());
        if self.variant == 1 { plain.with_annotation("variant", "1") } else { plain }
    }

    /// The size in bytes of the blob; each blob has its own.
    fn size(&self) -> u64 {
        1000 + u64::from(self.blob)
    }
}
