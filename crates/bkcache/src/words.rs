//! The words that other programs have for a command, and the command of this one.
//!
//! A word is never run in place of a command: it leads to a tip. clap's own tip goes by letters, and names `completions`
//! for `cp`.

use clap::error::{ContextKind, ContextValue, Error, ErrorKind};

/// What users of other programs type, and what it is called here.
const WORDS: [(&str, &str); 42] = [
    ("check", "verify"),
    ("fsck", "verify"),
    ("validate", "verify"),
    ("cp", "copy"),
    ("clone", "copy"),
    ("convert", "copy"),
    ("pull", "copy"),
    ("push", "copy"),
    ("save", "copy"),
    ("sync", "copy"),
    ("append", "merge"),
    ("combine", "merge"),
    ("join", "merge"),
    ("union", "merge"),
    ("fix", "repair"),
    ("heal", "repair"),
    ("trim", "prune"),
    ("expire", "prune"),
    ("compare", "diff"),
    ("cmp", "diff"),
    ("explain", "why"),
    ("miss", "why"),
    ("reason", "why"),
    ("clean", "gc"),
    ("collect", "gc"),
    ("delete", "rm"),
    ("remove", "rm"),
    ("untag", "rm"),
    ("rename", "tag"),
    ("list", "ls"),
    ("catalog", "ls"),
    ("dir", "ls"),
    ("tags", "ls"),
    ("cat", "inspect"),
    ("info", "inspect"),
    ("show", "inspect"),
    ("tree", "inspect"),
    ("files", "layers"),
    ("sizes", "layers"),
    ("create", "export"),
    ("completion", "completions"),
    ("version", "--version"),
];

/// The same error; for a command that has another name here, with that name as its tip.
pub(crate) fn with_tip(mut error: Error) -> Error {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return error;
    }
    let here = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(typed)) => WORDS.iter().find(|(word, _)| word == typed),
        _ => None,
    };
    if let Some((_, here)) = here {
        let _ = error.remove(ContextKind::SuggestedSubcommand);
        let tip = format!("it is called 'bkcache {here}'");
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
    }
    error
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_word_of_another_program_leads_to_the_command_of_this_one() {
        for (word, here) in WORDS {
            let error = with_tip(Cli::try_parse_from(["bkcache", word]).unwrap_err()).to_string();
            assert_eq!(error.matches("tip:").count(), 1, "{error}");
            assert!(error.contains(&format!("tip: it is called 'bkcache {here}'\n")), "{error}");
            let commands = Cli::command();
            assert!(here == "--version" || commands.find_subcommand(here).is_some(), "{here}");
        }
    }

    #[test]
    fn other_errors_stay_as_they_are() {
        for words in [["bkcache", "lss"], ["bkcache", "--lost"]] {
            let error = Cli::try_parse_from(words).unwrap_err();
            let before = error.to_string();
            assert_eq!(with_tip(error).to_string(), before);
        }
    }
}
