//! Runs the target `tar_tree` under libFuzzer. Its body and its laws are in `fuzz/targets`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| bkcache_fuzz_targets::tar_tree::run(bytes));
