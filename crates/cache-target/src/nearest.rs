//! Suggestions for mistyped words: the most similar of some known words.
//!
//! They are for messages only. A word is never replaced.

/// The known word that is most similar to `word`, if it is similar enough.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = (length / 3).clamp(1, 3);
    // No known word is longer, and the cost grows with the length.
    if length > 64 {
        return None;
    }
    let distances = known.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (found, candidate) = distances.min_by_key(|(distance, _)| *distance)?;
    (found <= limit).then_some(candidate)
}

/// The number of insertions, deletions and replacements of characters that turn `a` into `b` (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    // The distances of the letters of `a` seen so far to each non-empty prefix of `b`.
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
    fn only_similar_words_are_suggested() {
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
