//! Runs the target `digest_and_reference`, whose laws stand in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::digest_and_reference::run(bytes));
