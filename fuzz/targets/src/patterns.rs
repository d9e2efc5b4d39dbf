//! Any lines as patterns and paths: what matches is what the definitions say, and no pattern takes long.
//!
//! The lines before the first empty one are patterns, the others are paths. All of them are an ignore file, too.

use cache_keys::{Patterns, has_wildcard, ignore_patterns, path_match};

use crate::check::assert_one_line;

/// More bytes are not compared with the reference, which would take too long.
const MOST_COMPARED: usize = 200;

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    assert_eq!(ignore_patterns(bytes), reference::ignore_patterns(bytes));
    let is_compared = bytes.len() <= MOST_COMPARED;
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let patterns = lines.by_ref().take_while(|line| !line.is_empty());
    let patterns: Vec<String> = patterns.map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let paths: Vec<&[u8]> = lines.collect();
    check_names(&patterns, &paths, is_compared);
    let parsed = match Patterns::parse(&patterns) {
        Ok(parsed) => parsed,
        Err(error) => {
            assert_one_line(&error);
            assert_eq!(verdict(&patterns, b"", None), None, "{error}");
            return;
        }
    };
    for path in paths {
        check_path(&parsed, &patterns, path, is_compared);
    }
}

/// Wildcards of source paths.
fn check_names(patterns: &[String], paths: &[&[u8]], is_compared: bool) {
    for pattern in patterns {
        for path in paths {
            let found = path_match(pattern, path);
            if let Err(error) = &found {
                assert_one_line(error);
            }
            if !has_wildcard(pattern) && !pattern.contains('\\') {
                assert_eq!(found, Ok(pattern.as_bytes() == *path), "{pattern:?}");
            }
            if is_compared {
                let expected = reference::path_match(pattern, path);
                assert_eq!(found.ok(), expected.ok(), "{pattern:?} {path:?}");
            }
        }
    }
}

/// A path on its own, and below the folder that holds it.
fn check_path(parsed: &Patterns, patterns: &[String], path: &[u8], is_compared: bool) {
    let found = parsed.check(path, None);
    if let Err(error) = &found {
        assert_one_line(error);
    }
    let parent = path.iter().rposition(|byte| *byte == b'/').map(|end| &path[..end]);
    let below = parent.and_then(|parent| Some((parent, parsed.check(parent, None).ok()?.1)));
    let below = below.map(|(parent, known)| (parent, parsed.check(path, Some(&known))));
    if !is_compared {
        return;
    }
    assert_eq!(found.ok().map(|(found, _)| found), verdict(patterns, path, None), "{patterns:?} {path:?}");
    if let Some((parent, found)) = below {
        let known = reference::pattern_verdict(patterns, parent, None, false).expect("it was tried");
        let expected = verdict(patterns, path, Some(&known.matched));
        assert_eq!(found.ok().map(|(found, _)| found), expected, "{patterns:?} {path:?}");
    }
}

fn verdict(patterns: &[String], path: &[u8], parent: Option<&[bool]>) -> Option<bool> {
    let verdict = reference::pattern_verdict(patterns, path, parent, false).ok()?;
    Some(verdict.is_match)
}
