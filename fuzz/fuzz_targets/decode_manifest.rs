//! Any bytes as a manifest or an index: an error or a document, never a panic.

#![no_main]

use cache_format::Document;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let _ = Document::decode(bytes);
});
