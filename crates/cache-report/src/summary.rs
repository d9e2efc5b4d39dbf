//! A cache in a dozen lines: a name and a value each.
//!
//! Every value is one escaped line.

use std::fmt::{self, Display, Formatter};

use cache_format::CacheOrigin;
use cache_model::{ConfigRecord, Descriptor, count, grouped};

use crate::inspection::{compression_name, stored_bytes};
use crate::text::{fitted, padded, printable, seconds, size};
use crate::{Cache, Inspection, RecordNames};

/// The width of the column of names, in characters.
const NAMES: usize = 13;

/// A cache in rows, each a name and a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary(Vec<(&'static str, String)>);

impl Summary {
    /// Sums a cache up. `place` is the target that was read, and `manifest` the descriptor of the manifest or index. The
    /// rows are as long as they need to be.
    pub fn of(place: &str, manifest: &Descriptor, cache: &Cache<'_>) -> Self {
        let found = Inspection::of(cache);
        let image = cache.origin.image().map(|image| ("image", with_size(image)));
        let config = if image.is_some() { "image config" } else { "config" };
        let head = [
            ("cache", place.to_owned()),
            ("form", form(cache.origin, manifest)),
            ("manifest", with_size(manifest)),
        ];
        let counts = [
            (config, with_size(cache.origin.config())),
            ("size", format!("{} with manifest and config", size(stored_bytes(&found, manifest, cache)))),
            ("layers", layers(&found)),
            ("compressions", compressions(&found)),
            ("media types", media_types(cache.layers)),
            ("records", records(&found)),
            ("results", results(&found)),
        ];
        let rows = head.into_iter().chain(image).chain(counts);
        Self(rows.map(|(name, value)| (name, printable(&value))).collect())
    }

    /// The same summary with how many records of the cache have a name.
    #[must_use]
    pub fn with_names(mut self, cache: &Cache<'_>, names: &RecordNames) -> Self {
        let names = |record: ConfigRecord<'_>| names.of(record.digest()).iter();
        let named = || cache.config.records().filter(|record| names(*record).len() > 0);
        let by_place = named().filter(|record| names(*record).all(|name| !name.is_computed)).count() as u64;
        let of_all = count(cache.config.records_len() as u64, "record");
        let value = match (named().count() as u64, by_place) {
            (named, 0) => format!("{} of {of_all}", grouped(named)),
            (named, by_place) => {
                format!("{} of {of_all}, {} of them by place", grouped(named), grouped(by_place))
            }
        };
        self.0.push(("named", value));
        self
    }

    /// The same summary with rows of at most `width` characters. Digests and media types are shortened.
    #[must_use]
    pub fn with_width(self, width: Option<usize>) -> Self {
        let Some(width) = width else { return self };
        let room = width.saturating_sub(NAMES + 1).max(1);
        Self(self.0.into_iter().map(|(name, value)| (name, fitted(&value, room))).collect())
    }

    /// The rows, in the order in which they are shown. Names are filled up to the width of their column.
    pub fn rows(&self) -> impl Iterator<Item = (String, &str)> {
        self.0.iter().map(|(name, value)| (padded(name, NAMES), value.as_str()))
    }
}

impl Display for Summary {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        self.rows().try_for_each(|(name, value)| writeln!(f, "{name} {value}"))
    }
}

fn form(origin: &CacheOrigin, manifest: &Descriptor) -> String {
    let form = origin.form();
    match origin.image() {
        None => format!("{form} ({})", form.media_type()),
        Some(_) if manifest.media_type.is_empty() => form.to_string(),
        Some(_) => format!("{form} ({})", manifest.media_type),
    }
}

fn with_size(descriptor: &Descriptor) -> String {
    format!("{} ({})", descriptor.digest, size(descriptor.size))
}

fn records(found: &Inspection) -> String {
    let (roots, links) = (count(found.roots as u64, "root"), count(found.links as u64, "link"));
    format!("{} ({roots}, {links})", grouped(found.records as u64))
}

fn results(found: &Inspection) -> String {
    let number = grouped(found.results as u64);
    match (found.oldest.map(seconds), found.newest.map(seconds)) {
        (Some(oldest), Some(newest)) if oldest == newest => format!("{number} of {oldest}"),
        (Some(oldest), Some(newest)) => format!("{number} from {oldest} to {newest}"),
        _ => number,
    }
}

fn layers(found: &Inspection) -> String {
    let (number, blobs) = (grouped(found.layers as u64), count(found.blobs as u64, "blob"));
    format!("{number} ({}) in {blobs} ({})", size(found.layer_bytes), size(found.blob_bytes))
}

fn compressions(found: &Inspection) -> String {
    let each = found
        .compressions
        .iter()
        .map(|(compression, n)| format!("{} {}", compression_name(*compression), grouped(*n as u64)));
    joined(&each.collect::<Vec<_>>())
}

fn media_types(layers: &[Descriptor]) -> String {
    let mut types: Vec<String> = layers.iter().map(|layer| layer.media_type.to_string()).collect();
    types.sort_unstable();
    types.dedup();
    joined(&types)
}

fn joined(words: &[String]) -> String {
    if words.is_empty() { "none".to_owned() } else { words.join(", ") }
}
