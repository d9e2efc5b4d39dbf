//! Commands in messages, as a user pastes them into a shell.
//!
//! Nothing is run here.

/// A word of a command line as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let is_plain = |c: char| c.is_alphanumeric() || "-_./:@=,+%".contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_can_be_pasted_into_a_shell() {
        for (word, text) in
            [("./cache:main", "./cache:main"), ("", "''"), ("my cache", "'my cache'"), ("it's", r"'it'\''s'")]
        {
            assert_eq!(quoted(word), text);
        }
    }
}
