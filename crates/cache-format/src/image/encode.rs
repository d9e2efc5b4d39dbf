//! Writes an image config around an inline cache, for an image that is nothing but a cache.
//!
//! The text has no time of its own and no machine, so that the same cache gives the same bytes everywhere.

use cache_model::Digest;
use cache_model::json::{Object, push_list};

use crate::{HistoryEntry, ImageConfig};

/// The platform of an image that is never run. BuildKit writes it for attestations, too.
const PLATFORM: &str = "unknown";

impl ImageConfig {
    /// The config of an image that is nothing but a cache: the platform `unknown/unknown`, the diff IDs, the history, and the
    /// cache. Compact JSON, members in the order of Go's structs; empty members are left out, except for the list of diff
    /// IDs.
    ///
    /// An image that is to be run needs more members than these.
    pub fn encode_cache_only(&self) -> Vec<u8> {
        let cache = self.inline_cache.as_deref().unwrap_or_default();
        let mut out = Vec::with_capacity(256 + self.diff_ids.len() * 192 + cache.len());
        let mut members = Object::open(&mut out);
        members.string("architecture", PLATFORM);
        members.string("os", PLATFORM);
        push_root_fs(&self.diff_ids, members.key("rootfs"));
        if !self.history.is_empty() {
            push_list(&self.history, members.key("history"), push_step);
        }
        members.string_unless_empty("moby.buildkit.cache.v0", cache);
        members.close();
        out
    }
}

fn push_root_fs(diff_ids: &[Digest], out: &mut Vec<u8>) {
    let mut members = Object::open(out);
    members.string("type", "layers");
    push_list(diff_ids, members.key("diff_ids"), |diff_id: &Digest, out| {
        out.push(b'"');
        diff_id.write_to(out);
        out.push(b'"');
    });
    members.close();
}

fn push_step(step: &HistoryEntry, out: &mut Vec<u8>) {
    let mut members = Object::open(out);
    if let Some(created) = step.created {
        members.string("created", &created.to_string());
    }
    members.string_unless_empty("created_by", &step.created_by);
    if step.empty_layer {
        members.key("empty_layer").extend_from_slice(b"true");
    }
    members.close();
}
