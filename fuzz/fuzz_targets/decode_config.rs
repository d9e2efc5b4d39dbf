//! Any bytes as a cache config: an error or a config, never a panic, and never more than the bytes can hold.
//!
//! A config that is read is written and read again: the same config, and from then on the same bytes.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(config) = cache_format::decode_config(bytes) else { return };
    let written = cache_format::encode_config(&config);
    match cache_format::decode_config(&written) {
        Ok(again) => {
            assert_eq!(again, config, "written and read again");
            assert_eq!(cache_format::encode_config(&again), written, "written twice");
        }
        Err(error) => panic!("what was written cannot be read: {error}"),
    }
});
