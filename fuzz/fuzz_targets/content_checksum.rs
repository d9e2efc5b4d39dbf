//! Runs the target `content_checksum` under libFuzzer. Its body and its laws are in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::content_checksum::run(bytes));
