//! A small folder that looks like an OCI layout, made from any bytes, with all kinds of faults.
//!
//! Outside of it lies a canary: a file that the layout may name and link to, and that must never be read.

use std::fs;
use std::path::{Path, PathBuf};

use arbitrary::Arbitrary;
use cache_ingest::Hasher;
use cache_model::{Algorithm, Digest};
use tempfile::TempDir;

/// The content of the canary.
pub(super) const CANARY: &[u8] = b"the canary lies outside of the layout";
/// The names that an entry may have; all are looked up.
pub(super) const NAMES: [&str; 4] = ["latest", "a", "example.org/x:a", "two\nlines"];
/// The most blobs, entries or oddities; more would find no more.
const MOST: usize = 8;

const VALID: &[u8] = br#"{"imageLayoutVersion":"1.0.0"}"#;
/// The text `hello` in gzip and in Zstandard.
const GZIP: &[u8] =
    b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\xcb\x48\xcd\xc9\xc9\x07\x00\x86\xa6\x10\x36\x05\x00\x00\x00";
const ZSTD: &[u8] = b"\x28\xb5\x2f\xfd\x20\x05\x29\x00\x00hello";

/// The folder as the bytes describe it.
#[derive(Debug, Arbitrary)]
pub(super) struct RawFolder<'a> {
    layout: u8,
    index: u8,
    entries: Vec<RawEntry>,
    blobs: Vec<RawBlob<'a>>,
    odd: Vec<u8>,
    /// The content of `index.json` or `oci-layout` when it is not well-formed.
    text: &'a [u8],
}

#[derive(Debug, Arbitrary)]
struct RawEntry {
    digest: u8,
    size: u8,
    media_type: u8,
    name: u8,
}

#[derive(Debug, Arbitrary)]
struct RawBlob<'a> {
    kind: u8,
    place: u8,
    twist: u8,
    content: &'a [u8],
}

/// The folders on disk: the layout and the one outside of it. Dropping it removes both.
pub(super) struct Made {
    pub(super) layout: PathBuf,
    /// The digests of all blobs and of the canary.
    pub(super) digests: Vec<Digest>,
    _root: TempDir,
}

/// A blob as descriptors give it.
struct Blob {
    digest: Digest,
    size: usize,
}

impl RawFolder<'_> {
    pub(super) fn make(&self) -> Made {
        let memory = Path::new("/dev/shm");
        let place = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let root = tempfile::Builder::new().prefix("bkcache-fuzz-").tempdir_in(place).expect("a folder");
        let layout = root.path().join("layout");
        let outside = root.path().join("outside");
        let canary = digest(CANARY);
        let folder = layout.join("blobs/sha256");
        fs::create_dir_all(&folder).expect("a folder");
        fs::create_dir_all(&outside).expect("a folder");
        fs::write(outside.join(canary.hex()), CANARY).expect("a file");

        let mut blobs: Vec<Blob> = Vec::new();
        for raw in self.blobs.iter().take(MOST) {
            let content = raw.text(&blobs, canary);
            let blob = Blob { digest: digest(&content), size: content.len() };
            raw.place(&folder, &outside.join(canary.hex()), &blob.digest, &content);
            blobs.push(blob);
        }
        match self.layout % 8 {
            0 => {}
            1 => write(&layout.join("oci-layout"), br#"{"imageLayoutVersion":"2.0.0"}"#),
            2 => write(&layout.join("oci-layout"), self.text),
            _ => write(&layout.join("oci-layout"), VALID),
        }
        match self.index % 8 {
            0 => {}
            1 => write(&layout.join("index.json"), b""),
            2 => write(&layout.join("index.json"), self.text),
            _ => write(&layout.join("index.json"), self.index(&blobs, canary).as_bytes()),
        }
        self.odd.iter().take(MOST).for_each(|odd| make_odd(*odd, &layout, &outside.join(canary.hex())));
        let digests = blobs.iter().map(|blob| blob.digest).chain([canary]).collect();
        Made { layout, digests, _root: root }
    }

    fn index(&self, blobs: &[Blob], canary: Digest) -> String {
        let entries: Vec<String> =
            self.entries.iter().take(MOST).map(|entry| entry.text(blobs, canary)).collect();
        format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","))
    }
}

impl RawEntry {
    fn text(&self, blobs: &[Blob], canary: Digest) -> String {
        let blob = blobs.get(usize::from(self.digest) % (blobs.len() + 1));
        let (digest, size) = match (self.digest, blob) {
            (250.., _) => ("sha256:../../../outside".to_owned(), 1),
            (240.., _) => (canary.to_string().to_uppercase(), CANARY.len()),
            (_, Some(blob)) => (blob.digest.to_string(), blob.size),
            (_, None) => (canary.to_string(), CANARY.len()),
        };
        let size = match self.size {
            0..=200 => size.to_string(),
            201..=220 => (size + 1).to_string(),
            221..=230 => "-1".to_owned(),
            231..=240 => i64::MAX.to_string(),
            _ => "0".to_owned(),
        };
        let media_type = match self.media_type % 4 {
            0 => "application/vnd.oci.image.manifest.v1+json",
            1 => "application/vnd.oci.image.index.v1+json",
            2 => "application/vnd.docker.distribution.manifest.list.v2+json",
            _ => "two\\nlines",
        };
        let name = match self.name % 5 {
            0 => r#""org.opencontainers.image.ref.name":"latest""#,
            1 => r#""org.opencontainers.image.ref.name":"a""#,
            2 => r#""org.opencontainers.image.ref.name":"a","io.containerd.image.name":"example.org/x:a""#,
            3 => r#""org.opencontainers.image.ref.name":"two\nlines""#,
            _ => "",
        };
        format!(
            r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size},"annotations":{{{name}}}}}"#
        )
    }
}

impl RawBlob<'_> {
    /// The content: the bytes as given, or a document that names the earlier blobs.
    fn text(&self, blobs: &[Blob], canary: Digest) -> Vec<u8> {
        let named = |blob: &Blob, media_type: &str| {
            let size = if self.twist & 1 == 1 { blob.size + 1 } else { blob.size };
            let digest = if self.twist & 2 == 2 { canary } else { blob.digest };
            let diff_id = match self.twist & 4 {
                4 => {
                    format!(r#","annotations":{{"containerd.io/uncompressed":"{}"}}"#, self::digest(b"hello"))
                }
                _ => String::new(),
            };
            format!(r#"{{"mediaType":"{media_type}","digest":"{digest}","size":{size}{diff_id}}}"#)
        };
        let layer_type = match self.twist & 56 {
            32.. => "application/two\\nlines",
            8 => "application/vnd.oci.image.layer.v1.tar+zstd",
            16 => "application/vnd.oci.image.layer.v1.tar",
            _ => "application/vnd.oci.image.layer.v1.tar+gzip",
        };
        let (last, others) =
            blobs.split_last().map_or((None, [].as_slice()), |(last, others)| (Some(last), others));
        let layers = || others.iter().map(|blob| named(blob, layer_type)).collect::<Vec<_>>().join(",");
        let all =
            |media_type: &str| blobs.iter().map(|blob| named(blob, media_type)).collect::<Vec<_>>().join(",");
        let config =
            |media_type: &str| last.map_or_else(|| "null".to_owned(), |blob| named(blob, media_type));
        let text = match self.kind % 12 {
            0 => return GZIP.to_vec(),
            1 => return ZSTD.to_vec(),
            2 => {
                let layer = |blob: &Blob| format!(r#"{{"blob":"{}","parent":-1}}"#, blob.digest);
                let layers: Vec<String> = blobs.iter().map(layer).collect();
                let results = if blobs.is_empty() {
                    ""
                } else {
                    r#""layers":[{"layer":0,"createdAt":"2026-01-02T03:04:05Z"}],"#
                };
                format!(
                    r#"{{"layers":[{}],"records":[{{{results}"digest":"sha256:a"}},{{"digest":"sha256:b","inputs":[[{{"link":0}}]]}}]}}"#,
                    layers.join(",")
                )
            }
            3 => format!(
                r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
                config("application/vnd.buildkit.cacheconfig.v0"),
                layers()
            ),
            4 => format!(
                r#"{{"schemaVersion":2,"manifests":[{}{}{}]}}"#,
                layers(),
                if others.is_empty() { "" } else { "," },
                config("application/vnd.buildkit.cacheconfig.v0")
            ),
            5 => format!(
                r#"{{"schemaVersion":2,"config":{},"layers":[{}]}}"#,
                config("application/vnd.oci.image.config.v1+json"),
                layers()
            ),
            6 => format!(r#"{{"manifests":[{}]}}"#, all("application/vnd.oci.image.manifest.v1+json")),
            7 => format!(r#"{{"manifests":[{}]}}"#, all("application/vnd.oci.image.index.v1+json")),
            8 => {
                let diff_ids: Vec<String> = blobs.iter().map(|blob| format!("\"{}\"", blob.digest)).collect();
                // The records `[{"digest":"sha256:a","layers":[{"layer":0}]}]`.
                let records = "W3siZGlnZXN0Ijoic2hhMjU2OmEiLCJsYXllcnMiOlt7ImxheWVyIjowfV19XQ==";
                format!(
                    r#"{{"rootfs":{{"diff_ids":[{}]}},"moby.buildkit.cache.v0":"{records}"}}"#,
                    diff_ids.join(",")
                )
            }
            _ => return self.content.to_vec(),
        };
        text.into_bytes()
    }

    /// Writes the content to its place, or something wrong.
    fn place(&self, folder: &Path, canary: &Path, digest: &Digest, content: &[u8]) {
        let right = folder.join(digest.hex());
        let named_as_canary = folder.join(canary.file_name().unwrap_or_default());
        match self.place {
            0..=200 => write(&right, content),
            201..=205 => write(&named_as_canary, content),
            206..=210 => link(canary, &right),
            211..=220 => link(canary, &named_as_canary),
            221..=225 => drop(fs::create_dir(&right)),
            226..=230 => pipe(&right),
            231..=235 => {
                write(&folder.join("elsewhere"), content);
                link(&folder.join("elsewhere"), &right);
            }
            236..=240 => write(&right, content.get(1..).unwrap_or_default()),
            241..=245 => write(&right, b""),
            _ => write(&folder.join(digest.hex().to_uppercase()), content),
        }
    }
}

/// Adds something to the layout that does not belong there, or replaces a part of it.
fn make_odd(odd: u8, layout: &Path, canary: &Path) {
    let outside = canary.parent().unwrap_or(canary);
    let index = layout.join("index.json");
    match odd % 16 {
        0 => {
            drop(fs::create_dir(layout.join("ingest")));
            write(&layout.join("ingest/bkcache-0123456789abcdef"), b"stale");
        }
        1 => {
            drop(fs::remove_dir_all(layout.join("blobs/sha256")));
            link(outside, &layout.join("blobs/sha256"));
        }
        2 => {
            drop(fs::remove_file(&index));
            pipe(&index);
        }
        3 => {
            drop(fs::remove_file(layout.join("oci-layout")));
            pipe(&layout.join("oci-layout"));
        }
        4 => {
            drop(fs::remove_file(&index));
            drop(fs::create_dir(&index));
        }
        5 => {
            drop(fs::remove_file(&index));
            link(&index, &index);
        }
        6 => {
            drop(fs::remove_file(&index));
            link(canary, &index);
        }
        7 => write(&layout.join("index.json.lock"), b""),
        8 => {
            drop(fs::remove_dir_all(layout.join("blobs")));
            write(&layout.join("blobs"), b"");
        }
        9 => link(outside, &layout.join("ingest")),
        10 => {
            drop(fs::remove_dir_all(layout.join("blobs/sha256")));
            pipe(&layout.join("blobs/sha256"));
        }
        11 => link(outside, &layout.join("blobs/sha512")),
        _ => {}
    }
}

fn digest(content: &[u8]) -> Digest {
    Hasher::digest(Algorithm::Sha256, content)
}

/// Writes a file, unless its path exists: the bytes may ask for several things at one path.
fn write(path: &Path, content: &[u8]) {
    if path.symlink_metadata().is_err() {
        drop(fs::write(path, content));
    }
}

#[cfg(unix)]
fn link(to: &Path, at: &Path) {
    drop(std::os::unix::fs::symlink(to, at));
}

#[cfg(target_os = "linux")]
fn pipe(at: &Path) {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let _ = mknodat(CWD, at, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0);
}

#[cfg(not(unix))]
fn link(_to: &Path, _at: &Path) {}

#[cfg(not(target_os = "linux"))]
fn pipe(_at: &Path) {}
