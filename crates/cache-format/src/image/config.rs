//! The parts of an image config that a cache needs (OCI image specification, config.md).
//!
//! These are the diff IDs, the history, and BuildKit's own member with an inline cache. Other members are not kept, so an
//! image config that was read is never written again.

use cache_model::{Digest, Timestamp};
use serde::Deserializer;

use crate::FormatError;
use crate::json::read::{self, List, Object, Place, members, string};

const WHAT: &str = "image config";

/// The parts of an image config that describe its layers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// The digests of the uncompressed layers, lowest first (`rootfs.diff_ids`).
    pub diff_ids: Vec<Digest>,
    /// The steps that made the image, including steps that made no layer.
    pub history: Vec<HistoryEntry>,
    /// The member `moby.buildkit.cache.v0`: an inline cache's records, still in base64.
    pub inline_cache: Option<String>,
}

/// A step of an image's history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HistoryEntry {
    /// When the step was taken.
    pub created: Option<Timestamp>,
    /// The command that was run; may be empty.
    pub created_by: String,
    /// Whether the step made no layer.
    pub empty_layer: bool,
}

impl ImageConfig {
    /// Reads an image config; members that a cache does not need are skipped, null means absent.
    ///
    /// # Errors
    ///
    /// Anything but a JSON object, a malformed diff ID or time, a member of the wrong type; the error names the
    /// diff ID or the history entry.
    pub fn decode(bytes: &[u8]) -> Result<Self, FormatError> {
        read::document(WHAT, bytes, |json, place| {
            let mut members = ConfigMembers { config: Self::default(), place };
            read::object(json, &mut members)?;
            Ok(members.config)
        })
    }

    /// The steps that made a layer, lowest first.
    pub fn layer_steps(&self) -> impl Iterator<Item = &HistoryEntry> {
        self.history.iter().filter(|step| !step.empty_layer)
    }
}

struct ConfigMembers<'p> {
    config: ImageConfig,
    place: &'p Place,
}

impl<'de> Object<'de> for ConfigMembers<'_> {
    const WHAT: &'static str = "an image config (an object)";

    members! { |self, value, key|
        "rootfs" => drop(read::object(value, &mut RootFs { diff_ids: &mut self.config.diff_ids, place: self.place })?),
        "history" => read::list(value, &mut History { steps: &mut self.config.history, place: self.place })?,
        "moby.buildkit.cache.v0" => {
            self.config.inline_cache = read::text(value, key)?.map(|text| text.into_owned());
        }
    }

    fn end_member(&mut self) {
        self.place.clear();
    }
}

struct RootFs<'s> {
    diff_ids: &'s mut Vec<Digest>,
    place: &'s Place,
}

impl<'de> Object<'de> for RootFs<'_> {
    const WHAT: &'static str = "a root file system (an object)";

    members! { |self, value, key|
        "diff_ids" => read::list(value, self)?,
    }
}

impl<'de> List<'de> for RootFs<'_> {
    const WHAT: &'static str = "a list of diff IDs";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.place.entry("layer", self.diff_ids.len());
        let diff_id = read::parsed(value, "diff ID", str::parse)?;
        let null = || serde::de::Error::custom("null is no diff ID");
        self.diff_ids.push(diff_id.ok_or_else(null)?);
        Ok(())
    }
}

struct History<'s> {
    steps: &'s mut Vec<HistoryEntry>,
    place: &'s Place,
}

impl<'de> List<'de> for History<'_> {
    const WHAT: &'static str = "a history (a list)";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        self.place.entry("history entry", self.steps.len());
        let mut step = HistoryEntry::default();
        read::object(value, &mut step)?;
        self.steps.push(step);
        Ok(())
    }
}

impl<'de> Object<'de> for HistoryEntry {
    const WHAT: &'static str = "a history entry (an object)";

    members! { |self, value, key|
        "created" => self.created = read::parsed(value, key, str::parse)?,
        "created_by" => self.created_by = string(value, key)?,
        "empty_layer" => self.empty_layer = read::boolean(value, key)?.unwrap_or(false),
    }
}
