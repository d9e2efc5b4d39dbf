//! Writing cache configs, `application/vnd.buildkit.cacheconfig.v0`, as Go's encoder does.
//!
//! Compact JSON in the order of BuildKit's structs, straight into one buffer. It never fails, never reorders, and never
//! checks whether the config makes sense.

use cache_model::json::{Object, push_list, push_number, push_string};
use cache_model::{
    CacheConfig, ConfigChain, ConfigLayer, ConfigLink, ConfigRecord, ConfigResult, LayerAnnotations,
    RecordDigest, Timestamp,
};

/// Writes a cache config: compact JSON, no newline at its end, `{}` for an empty config.
///
/// The members are those of BuildKit, in its order. Empty members are left out: `layers`, `records`, `blob`, a `parent`
/// of 0, `annotations`, `chains`, `digest`, `inputs`, `selector`. `layer`, `link` and `createdAt` are always written. An
/// input without links is written `[]`, which BuildKit reads and refuses as an empty input (BuildKit itself writes
/// `null`, which it cannot read). A chain without layers is written as `[]`.
///
/// ```
/// use cache_model::{CacheConfigBuilder, RecordDigest};
/// let mut builder = CacheConfigBuilder::new();
/// builder.record(RecordDigest::new("sha256:a")).input().link("<src>", 0);
/// assert_eq!(
///     cache_format::encode_config(&builder.finish()),
///     br#"{"records":[{"digest":"sha256:a","inputs":[[{"selector":"\u003csrc\u003e","link":0}]]}]}"#,
/// );
/// ```
pub fn encode_config(config: &CacheConfig) -> Vec<u8> {
    let mut out = Vec::with_capacity(32 + config.layers().len() * 112 + records_estimate(config));
    out.push(b'{');
    if !config.layers().is_empty() {
        out.extend_from_slice(b"\"layers\":");
        push_list(config.layers(), &mut out, push_layer);
    }
    if config.records_len() > 0 {
        out.extend_from_slice(if config.layers().is_empty() { b"\"records\":" } else { b",\"records\":" });
        push_list(config.records(), &mut out, push_record);
    }
    out.push(b'}');
    out
}

/// Writes the records alone, as [`encode_config`] writes the member `records`: the JSON list that an inline cache holds
/// in base64; `[]` for a config without records.
pub fn encode_records(config: &CacheConfig) -> Vec<u8> {
    let mut out = Vec::with_capacity(2 + records_estimate(config));
    push_list(config.records(), &mut out, push_record);
    out
}

/// An estimate of the records' length in bytes. It errs on the high side: memory that is never written costs nothing.
fn records_estimate(config: &CacheConfig) -> usize {
    config.records_len() * 168 + config.links_len() * 96
}

fn push_layer(layer: &ConfigLayer, out: &mut Vec<u8>) {
    let mut members = Object::open(out);
    if let Some(blob) = &layer.blob {
        let out = members.plain_key("blob");
        out.push(b'"');
        blob.write_to(out);
        out.push(b'"');
    }
    if layer.parent != 0 {
        push_number(layer.parent, members.plain_key("parent"));
    }
    if let Some(annotations) = &layer.annotations {
        push_annotations(annotations, members.plain_key("annotations"));
    }
    members.close();
}

fn push_annotations(annotations: &LayerAnnotations, out: &mut Vec<u8>) {
    let mut members = Object::open(out);
    if !annotations.media_type.is_empty() {
        push_string(&annotations.media_type, members.plain_key("mediaType"));
    }
    if !annotations.diff_id.is_empty() {
        push_string(&annotations.diff_id, members.plain_key("diffID"));
    }
    if annotations.size != 0 {
        push_number(annotations.size, members.plain_key("size"));
    }
    push_time(annotations.created_at, members.plain_key("createdAt"));
    members.close();
}

fn push_record(record: ConfigRecord<'_>, out: &mut Vec<u8>) {
    let mut members = Object::open(out);
    if !record.results().is_empty() {
        push_list(record.results(), members.plain_key("layers"), push_result);
    }
    if record.chains().len() > 0 {
        push_list(record.chains(), members.plain_key("chains"), push_chain);
    }
    if !record.digest().is_empty() {
        push_digest(record.digest(), members.plain_key("digest"));
    }
    if record.inputs_len() > 0 {
        push_list(record.inputs(), members.plain_key("inputs"), |links, out| {
            push_list(links, out, push_link);
        });
    }
    members.close();
}

fn push_result(result: &ConfigResult, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"layer\":");
    push_number(result.layer, out);
    out.extend_from_slice(b",\"createdAt\":");
    push_time(result.created_at, out);
    out.push(b'}');
}

fn push_chain(chain: ConfigChain<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(b"{\"layers\":");
    push_list(chain.layers, out, |layer, out| push_number(*layer, out));
    out.extend_from_slice(b",\"createdAt\":");
    push_time(chain.created_at, out);
    out.push(b'}');
}

fn push_link(link: ConfigLink<'_>, out: &mut Vec<u8>) {
    if link.selector.is_empty() {
        out.extend_from_slice(b"{\"link\":");
    } else {
        out.extend_from_slice(b"{\"selector\":");
        push_string(link.selector, out);
        out.extend_from_slice(b",\"link\":");
    }
    push_number(link.record, out);
    out.push(b'}');
}

fn push_digest(digest: &RecordDigest, out: &mut Vec<u8>) {
    match digest.as_text() {
        Some(text) => push_string(text, out),
        None => {
            out.push(b'"');
            digest.write_to(out);
            out.push(b'"');
        }
    }
}

fn push_time(time: Timestamp, out: &mut Vec<u8>) {
    out.push(b'"');
    time.write_to(out);
    out.push(b'"');
}
