//! What somebody probably meant: the nearest of some known words.
//!
//! It only suggests; nothing is ever taken for something else.

/// The known word that differs least from `word`, if it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3);
    // A word of any length can be typed; none that is known is long.
    if length > 64 {
        return None;
    }
    let distances = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (found, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (found <= limit).then_some(candidate)
}

/// How many characters have to be put in, taken out or replaced to make `b` of `a` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // The distances of the letters of `a` seen so far to each beginning of `b`; its first is the diagonal's start.
    let mut row: Vec<usize> = (1..=b.len()).collect();
    for (seen, letter) in a.chars().enumerate() {
        let mut diagonal = seen;
        let mut left = seen + 1;
        for (cell, other) in row.iter_mut().zip(&b) {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = *cell;
            left = replaced.min(*cell + 1).min(left + 1);
            *cell = left;
        }
    }
    row.last().copied().unwrap_or(a.chars().count())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distance_counts_single_changes() {
        for (a, b, expected) in [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("tag", "tag", 0),
            ("tga", "tag", 2),
            ("image-manifest", "imagemanifest", 1),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(a, b), expected, "{a} {b}");
            assert_eq!(distance(b, a), expected, "{b} {a}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["dest", "tag", "oci-mediatypes", "image-manifest"];
        for (word, expected) in [
            ("dst", Some("dest")),
            ("tags", Some("tag")),
            ("oci-media-types", Some("oci-mediatypes")),
            ("imagemanifest", Some("image-manifest")),
            ("compression", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
        assert_eq!(nearest(&"a".repeat(1000), known), None);
        assert_eq!(nearest("tag", []), None);
    }
}
