//! Runs the target `manifest_builder`, whose laws stand in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::manifest_builder::run(bytes));
