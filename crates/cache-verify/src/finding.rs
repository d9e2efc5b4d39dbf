//! A finding: its severity, its place, its kind.
//!
//! Positions in manifests and configs count from 0.

use std::fmt;

use cache_model::{Digest, OneLine, RecordDigest, count, grouped};

use crate::{FindingKind, Severity};

/// A defect or oddity of a cache.
///
/// Displays on one line as `place: what; what it means`, without the severity.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The digest of the image's manifest, for a finding about a cache inside an image.
    pub image: Option<Digest>,
    /// Its place in the cache.
    pub place: Place,
    /// Its kind.
    pub kind: FindingKind,
    /// For an error about a layer, the positions of the records that need it: each has a result with the layer, or with
    /// a layer on top of it. `None` for any other finding, and where working this out takes too long.
    pub needed_by: Option<Vec<usize>>,
}

/// The subject of a finding.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Place {
    /// A manifest or index.
    Manifest {
        /// Its digest.
        digest: Digest,
    },
    /// A cache config; of a cache inside an image, the image's config.
    Config {
        /// Its digest.
        digest: Digest,
    },
    /// A layer, or several with one blob.
    Layer {
        /// Their positions in the config, or in the image for a cache inside an image. Empty for a blob that no layer of
        /// the config has, and where the config cannot be read.
        positions: Vec<usize>,
        /// The digest of its blob; `None` if the config names none.
        digest: Option<Digest>,
    },
    /// A record, or several of one digest.
    Record {
        /// Their positions in the config; empty if unknown.
        positions: Vec<usize>,
        /// Their digest.
        digest: RecordDigest,
    },
}

impl Finding {
    /// Its severity.
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }

    /// The digest of the blob that it is about; `None` for a record, or a layer without a blob.
    pub fn digest(&self) -> Option<&Digest> {
        match &self.place {
            Place::Manifest { digest } | Place::Config { digest } => Some(digest),
            Place::Layer { digest, .. } => digest.as_ref(),
            Place::Record { .. } => None,
        }
    }

    /// The positions of the layers that it is about.
    pub fn layers(&self) -> &[usize] {
        match &self.place {
            Place::Layer { positions, .. } => positions,
            _ => &[],
        }
    }

    /// The positions of the records that it is about, or that need the layer that it is about.
    pub fn records(&self) -> &[usize] {
        match &self.place {
            Place::Record { positions, .. } => positions,
            _ => self.needed_by.as_deref().unwrap_or_default(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(image) = &self.image {
            write!(f, "image {image}, ")?;
        }
        write!(f, "{}", OneLine(&self.place))?;
        match self.needed_by.as_ref().map(Vec::len) {
            None => {}
            Some(0) => f.write_str(", needed by no record")?,
            Some(records) => write!(f, ", needed by {}", count(records as u64, "record"))?,
        }
        write!(f, ": {}", OneLine(KindAt { kind: &self.kind, place: &self.place }))
    }
}

/// A kind in the words for its place.
struct KindAt<'a> {
    kind: &'a FindingKind,
    place: &'a Place,
}

impl fmt::Display for KindAt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.write(
            f,
            match self.place {
                Place::Manifest { .. } | Place::Config { .. } => "it",
                Place::Layer { .. } | Place::Record { .. } => "the blob",
            },
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest { digest } => write!(f, "manifest {digest}"),
            Self::Config { digest } => write!(f, "config {digest}"),
            Self::Layer { positions, digest: None } => write_positions(f, "layer", positions),
            Self::Layer { positions, digest: Some(digest) } if positions.is_empty() => {
                write!(f, "blob {digest}")
            }
            Self::Layer { positions, digest: Some(digest) } => {
                write_positions(f, "layer", positions)?;
                write!(f, " ({digest})")
            }
            Self::Record { positions, digest } => {
                write_positions(f, "record", positions)?;
                write!(f, " ({})", digest.excerpt())
            }
        }
    }
}

/// The most positions that a line names; further ones are counted only.
const SHOWN: usize = 8;

fn write_positions(f: &mut fmt::Formatter<'_>, noun: &str, positions: &[usize]) -> fmt::Result {
    f.write_str(noun)?;
    if positions.len() > 1 {
        f.write_str("s")?;
    }
    for (n, position) in positions.iter().take(SHOWN).enumerate() {
        write!(f, "{}{position}", if n == 0 { " " } else { ", " })?;
    }
    match positions.len().saturating_sub(SHOWN) {
        0 => Ok(()),
        more => write!(f, " and {} more", grouped(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn findings_are_equal_when_place_kind_and_error_are() {
        use cache_ingest::{Error, ErrorKind, Side};
        let digest = Digest::of(b"blob");
        let error = |reason: &str| Error::new(ErrorKind::Unavailable, "open", digest, reason);
        let finding = |error: Error| {
            let kind = FindingKind::UnreadableBlob { error: std::sync::Arc::new(error) };
            Finding { image: None, place: Place::Config { digest }, kind, needed_by: None }
        };
        let found = finding(error("it is away"));
        assert_eq!(found, finding(error("it is away").with_cause(std::io::Error::other("a cause"))));
        assert_ne!(found, finding(error("it is shut")));
        assert_ne!(found, finding(error("it is away").on(Side::Source)));
        assert_ne!(found, Finding { kind: FindingKind::MissingBlob, ..found.clone() });
    }

    #[test]
    fn a_finding_says_how_many_records_need_a_layer_and_takes_no_config_for_a_blob() {
        let digest = Digest::sha256([7; 32]);
        let line = |place: Place, records: Option<usize>| {
            let needed_by = records.map(|records| (0..records).collect());
            Finding { image: None, place, kind: FindingKind::MissingBlob, needed_by }.to_string()
        };
        let layer = |positions: usize| Place::Layer { positions: (0..positions).collect(), digest: None };
        let end = "is missing; export the cache again";
        assert_eq!(line(layer(1), Some(0)), format!("layer 0, needed by no record: the blob {end}"));
        assert_eq!(line(layer(1), Some(1)), format!("layer 0, needed by 1 record: the blob {end}"));
        assert_eq!(
            line(layer(1208), Some(12_345)),
            format!("layers 0, 1, 2, 3, 4, 5, 6, 7 and 1,200 more, needed by 12,345 records: the blob {end}")
        );
        assert_eq!(line(Place::Config { digest }, None), format!("config {digest}: it {end}"));
        assert_eq!(line(Place::Manifest { digest }, None), format!("manifest {digest}: it {end}"));
    }

    #[test]
    fn a_finding_stays_on_one_line_whatever_it_quotes() {
        let digest = RecordDigest::new("two\nlines");
        let place = Place::Record { positions: vec![3], digest };
        let kind = FindingKind::UnknownMediaType { media_type: "a\rb".into() };
        let line = Finding { image: None, place, kind, needed_by: None }.to_string();
        assert!(line.starts_with(r"record 3 (two\nlines): a\rb is no known media type"), "{line}");
    }
}
