//! Runs the target `add_script`, whose laws stand in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::add_script::run(bytes));
