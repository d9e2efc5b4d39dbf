//! Any bytes as a cache config or a record line: an error on one line or a value, never a panic.
//!
//! A config that is written and read again stays the same, and its bytes stay the same from then on.

use cache_format::{decode_config, decode_record_line, encode_config};

use crate::check::assert_one_line;

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    if let Err(error) = decode_record_line(bytes) {
        assert_one_line(&error);
    }
    let config = match decode_config(bytes) {
        Ok(config) => config,
        Err(error) => return assert_one_line(&error),
    };
    let written = encode_config(&config);
    let again = decode_config(&written).expect("a written config can be read");
    assert!(again == config, "written and read again it is another config");
    assert!(encode_config(&again) == written, "written twice it has other bytes");
}
