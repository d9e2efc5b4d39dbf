//! Records of an extended header (POSIX.1-2008, pax, "Extended Header"), as far as they count for a layer.
//!
//! Values are bytes and may contain any byte, also line feeds: those of extended attributes do.

use std::collections::BTreeMap;

use super::number::decimal;

/// The records of an extended header. Of several with one key the last one is kept.
pub(super) type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// The key of an extended attribute begins with it.
pub(super) const XATTR: &[u8] = b"SCHILY.xattr.";
/// The map of a sparse file: offsets and lengths, separated by commas.
pub(super) const SPARSE_MAP: &[u8] = b"GNU.sparse.map";

const SPARSE_OFFSET: &[u8] = b"GNU.sparse.offset";
const SPARSE_LENGTH: &[u8] = b"GNU.sparse.numbytes";
/// Keys whose values are texts without NUL.
const TEXTS: [&[u8]; 4] = [b"path", b"linkpath", b"uname", b"gname"];

/// The records of an extended header; `None` if it is damaged.
///
/// The first version of the sparse format repeats two keys for each part of the file. They become one map, as the second version has it.
pub(super) fn records(mut bytes: &[u8]) -> Option<Records> {
    let (mut records, mut map) = (Records::new(), Vec::new());
    while !bytes.is_empty() {
        let (key, value, rest) = record(bytes)?;
        bytes = rest;
        if key == SPARSE_OFFSET || key == SPARSE_LENGTH {
            let is_in_turn = (key == SPARSE_OFFSET) == (map.len() % 2 == 0);
            if !is_in_turn || value.contains(&b',') {
                return None;
            }
            map.push(value);
        } else {
            records.insert(key.to_vec(), value.to_vec());
        }
    }
    if !map.is_empty() {
        records.insert(SPARSE_MAP.to_vec(), map.join(&b','));
    }
    Some(records)
}

/// The value of a key, unless it is empty.
pub(super) fn value<'r>(records: &'r Records, key: &[u8]) -> Option<&'r [u8]> {
    records.get(key).map(Vec::as_slice).filter(|value| !value.is_empty())
}

/// The first record: its length in decimal, a space, the key, `=`, the value and a line feed. Returns what follows, too.
fn record(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let len = usize::try_from(decimal(bytes.get(..space)?)?).ok()?;
    let (record, rest) = bytes.split_at_checked(len)?;
    let record = record.get(space + 1..)?.strip_suffix(b"\n")?;
    let equals = record.iter().position(|byte| *byte == b'=')?;
    let (key, value) = (record.get(..equals)?, record.get(equals + 1..)?);
    let is_text = !TEXTS.contains(&key) || !value.contains(&0);
    (is_text && !key.is_empty() && !key.contains(&0)).then_some((key, value, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], expected: Option<&[(&str, &str)]>) {
        let expected = expected.map(|pairs| {
            pairs.iter().map(|(key, value)| (key.as_bytes().to_vec(), value.as_bytes().to_vec())).collect()
        });
        assert_eq!(records(bytes), expected, "{}", bytes.escape_ascii());
    }

    #[test]
    fn a_value_may_contain_line_feeds_and_equals_signs() {
        check(b"", Some(&[]));
        check(b"9 path=a\n13 a.b=c=\n\n\n\n", Some(&[("path", "a"), ("a.b", "c=\n\n\n")]));
        check(b"9 path=a\n9 path=b\n", Some(&[("path", "b")]));
        check(b"8 path=\n", Some(&[("path", "")]));
    }

    #[test]
    fn a_damaged_record_is_seen() {
        for bytes in [
            &b"9 path=a"[..],
            b"8 path=a\n",
            b"99 path=a\n",
            b"path=a\n",
            b"7 patha\n",
            b"5 =a\n",
            b"10 path=a\0\n",
            b"9 pa\0h=a\n",
            b"0 a=b\n",
            b"-9 path=a\n",
            b"99999999999999999999 a=b\n",
        ] {
            check(bytes, None);
        }
    }

    #[test]
    fn parts_of_a_sparse_file_become_one_map() {
        let part =
            |offset, length| format!("23 GNU.sparse.offset={offset}\n25 GNU.sparse.numbytes={length}\n");
        let two = part(0, 1) + &part(5, 2);
        check(two.as_bytes(), Some(&[("GNU.sparse.map", "0,1,5,2")]));
        check(b"25 GNU.sparse.numbytes=1\n", None);
        check(b"23 GNU.sparse.offset=0\n23 GNU.sparse.offset=0\n", None);
        check(b"25 GNU.sparse.offset=0,1\n", None);
    }
}
