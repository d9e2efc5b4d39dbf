//! Writes the JSON text of a cache config, record by record.

use std::fmt::Write as _;

/// When all results were made.
pub(super) const INSTANT: &str = "2024-01-01T00:00:00Z";

/// Writes the text of a config.
pub(super) struct Writer {
    pub(super) room: usize,
    pub(super) layers: String,
    pub(super) layers_count: usize,
    pub(super) records: String,
    pub(super) count: usize,
}

/// A generator of numbers (xorshift64), the same on every machine.
pub(super) struct Random(pub(super) u64);

impl Writer {
    /// A writer of a config with a length of about `bytes`.
    pub(super) fn new(bytes: usize) -> Self {
        Self { room: bytes, layers: String::new(), layers_count: 0, records: String::new(), count: 0 }
    }

    /// Whether `more` bytes fit into a share of the size.
    pub(super) fn has_room(&self, share: f64, more: usize) -> bool {
        ((self.layers.len() + self.records.len() + more) as f64) < self.room as f64 * share
    }

    /// Appends a record if the text so far is within a share of the size; otherwise false.
    pub(super) fn record(&mut self, share: f64, members: std::fmt::Arguments<'_>) -> bool {
        if !self.has_room(share, 0) {
            return false;
        }
        let comma = if self.count == 0 { "" } else { "," };
        let _ = write!(self.records, "{comma}{{{members}}}");
        self.count += 1;
        true
    }

    /// A record without a digest that depends on the one before it.
    pub(super) fn linked_to_last(&mut self) -> bool {
        let last = self.count - 1;
        self.record(1.0, format_args!(r#""inputs":[[{{"link":{last}}}]]"#))
    }

    /// A layer on top of the one before it.
    pub(super) fn layer_on_last(&mut self, share: f64) -> bool {
        if !self.has_room(share, 0) {
            return false;
        }
        let layer = self.layers_count;
        let comma = if layer == 0 { "" } else { "," };
        let parent = if layer == 0 { -1 } else { i64::try_from(layer - 1).unwrap_or(-1) };
        let _ = write!(self.layers, r#"{comma}{{"blob":"sha256:{layer:064x}","parent":{parent}}}"#);
        self.layers_count += 1;
        true
    }

    pub(super) fn finish(self) -> Vec<u8> {
        format!(r#"{{"layers":[{}],"records":[{}]}}"#, self.layers, self.records).into_bytes()
    }
}

impl Random {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % bound.max(1)
    }
}
