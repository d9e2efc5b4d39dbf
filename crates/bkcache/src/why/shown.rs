//! Which texts of a build may be shown: names always; values of ENV, build arguments and proxies only on request.
//!
//! What a Dockerfile says is shown, except in ENV and ARG. What a value may have been put into is not.

use std::collections::BTreeSet;

use cache_explain::{Build, Cause, Change, Explanation};
use cache_keys::Op;

/// Fields of a definition that say for which platform a step is.
const PLATFORM: [&str; 5] = ["OS", "Arch", "Variant", "OSVersion", "OSFeatures"];
/// The arguments of a command. A Dockerfile's frontend puts no values into them.
const ARGUMENTS: &str = "Exec.meta.args";
/// Values of fewer characters are recognised as whole words only.
const LONG_VALUE: usize = 4;

/// What decides whether a text may be shown.
pub(crate) struct ShownTexts {
    shows_values: bool,
    /// The Dockerfiles without their ENV and ARG, with single spaces.
    sources: Vec<String>,
    values: BTreeSet<String>,
}

impl ShownTexts {
    /// For texts of these builds.
    pub(crate) fn of<'b>(shows_values: bool, builds: impl IntoIterator<Item = &'b Build>) -> Self {
        let mut shown = Self { shows_values, sources: Vec::new(), values: BTreeSet::new() };
        for build in builds {
            shown.sources.extend(build.sources.iter().map(|source| without_values(&source.text)));
            let steps = build.definition.steps().iter();
            let variables = steps.flat_map(|step| match &step.op {
                Op::Exec(exec) => exec.meta.env.as_slice(),
                _ => &[],
            });
            let of_environment = variables.filter_map(|variable| Some(variable.split_once('=')?.1));
            let arguments = build.arguments.iter().filter(|(name, _)| name.starts_with("build-arg:"));
            let values = of_environment.chain(arguments.map(|(_, value)| value.as_str()));
            shown.values.extend(values.map(str::to_owned));
        }
        shown
    }

    /// The texts of a field in the older and in the newer build; `None` if one may hold a value.
    pub(crate) fn texts<'c>(&self, cause: &Cause, change: &'c Change) -> Option<[Option<&'c str>; 2]> {
        let texts = [change.old.as_deref(), change.new.as_deref()];
        let may_be_shown = self.shows_values
            || PLATFORM.contains(&change.at.as_str())
            || !change.is_secret
                && texts.iter().flatten().all(|text| match change.at.starts_with(ARGUMENTS) {
                    true => self.is_in_a_source(text),
                    false => !self.may_hold_a_value(text, cause),
                });
        may_be_shown.then_some(texts)
    }

    /// Whether any of the changed texts is hidden.
    pub(crate) fn hides_any(&self, explanation: &Explanation) -> bool {
        let is_hidden =
            |cause: &Cause| cause.changes.iter().any(|change| self.texts(cause, change).is_none());
        explanation.causes.iter().any(is_hidden)
    }

    /// Whether a Dockerfile says it.
    fn is_in_a_source(&self, text: &str) -> bool {
        let text = single_spaced(text);
        self.sources.iter().any(|source| source.contains(&text))
    }

    /// Whether a value may have been put into it: if it holds one, or if no Dockerfile has the step.
    fn may_hold_a_value(&self, text: &str, cause: &Cause) -> bool {
        cause.at.instruction.is_none() || self.values.iter().any(|value| holds(text, value))
    }
}

/// Whether a text holds a value; a short value counts only as a whole word.
fn holds(text: &str, value: &str) -> bool {
    if !value.contains(char::is_alphanumeric) {
        return false;
    }
    let is_word = |before: &str, after: &str| {
        !before.ends_with(char::is_alphanumeric) && !after.starts_with(char::is_alphanumeric)
    };
    text.match_indices(value).any(|(at, found)| {
        let (before, rest) = text.split_at(at);
        found.len() >= LONG_VALUE || is_word(before, rest.strip_prefix(found).unwrap_or_default())
    })
}

/// A Dockerfile without its ENV and ARG instructions, with single spaces.
fn without_values(dockerfile: &str) -> String {
    let mut kept = String::new();
    let (mut is_dropped, mut continues) = (false, false);
    for line in dockerfile.lines() {
        let word = line.split_whitespace().next().unwrap_or_default();
        if !continues {
            is_dropped = ["ENV", "ARG"].iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
        }
        let is_comment = word.starts_with('#');
        continues = line.trim_end().ends_with('\\') || continues && (is_comment || word.is_empty());
        if !is_dropped {
            kept.push_str(line);
            kept.push('\n');
        }
    }
    single_spaced(&kept)
}

/// A text on one line with single spaces, without comments and continued lines' backslashes.
fn single_spaced(text: &str) -> String {
    let lines = text.lines().map(str::trim).filter(|line| !line.starts_with('#'));
    let words = lines.flat_map(|line| line.strip_suffix('\\').unwrap_or(line).split_whitespace());
    words.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_env_and_arg_say_is_no_part_of_what_may_be_shown() {
        let dockerfile =
            "FROM a\nENV A=one \\\n  # why\n\n  B=two\nRUN x \\\n # note\n  y\narg C=three\nRUN z\n";
        assert_eq!(without_values(dockerfile), "FROM a RUN x y RUN z");
    }

    #[test]
    fn a_short_value_is_found_as_a_word_and_a_long_one_anywhere() {
        for (text, value, is_held) in [
            ("/srv/1", "1", true),
            ("/srv/10", "1", false),
            ("/srv/v1/x", "v1", true),
            ("/srv/secrets", "secret", true),
            ("/srv", "/", false),
            ("/srv", "", false),
        ] {
            assert_eq!(holds(text, value), is_held, "{value} in {text}");
        }
    }
}
