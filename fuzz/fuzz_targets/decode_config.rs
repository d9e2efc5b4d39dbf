//! Runs the target `decode_config`, whose laws stand in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::decode_config::run(bytes));
