//! Runs the target `decode_config` under libFuzzer. Its body and its laws are in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::decode_config::run(bytes));
