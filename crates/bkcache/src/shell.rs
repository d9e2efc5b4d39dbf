//! Commands in messages, as a user pastes them into a shell.
//!
//! Nothing is run here.

/// A word of a command line as a shell reads it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = if cfg!(windows) { r"-_./:@=,+%\" } else { "-_./:@=,+%" };
    let is_plain = |c: char| c.is_alphanumeric() || plain.contains(c);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        // cmd.exe and PowerShell both know double quotes. To cmd.exe a single quote is a letter.
        false if cfg!(windows) => format!("\"{}\"", word.replace('"', r#"\""#)),
        false => format!("'{}'", word.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_can_be_pasted_into_a_shell() {
        let unix = [
            ("./cache:main", "./cache:main"),
            ("", "''"),
            ("my cache", "'my cache'"),
            ("it's", r"'it'\''s'"),
        ];
        let windows = [
            (r"C:\cache:main", r"C:\cache:main"),
            ("", r#""""#),
            ("my cache", r#""my cache""#),
            ("it's", r#""it's""#),
        ];
        for (word, text) in if cfg!(windows) { windows } else { unix } {
            assert_eq!(quoted(word), text);
        }
    }
}
