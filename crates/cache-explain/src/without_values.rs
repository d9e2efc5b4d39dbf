//! A build without the values that may be secrets: each is replaced by its digest, so that it can still be compared.
//!
//! Kept are the names of variables, the keywords and lines of instructions, paths, users, references of images, and everything
//! else that tells which files a step reads.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cache_keys::{Definition, FileActionKind, Op, SourceKind, Step, StepKey};
use cache_model::Digest;

use crate::dockerfile::Dockerfile;
use crate::{Build, ResolvedDependency, SourceText};

/// The arguments of a request whose values are no secrets.
const OPEN_ARGUMENTS: [&str; 2] = ["platform", "target"];
/// The attributes of a source whose values are headers of requests.
const REQUEST_HEADERS: &str = "http.header.";

impl Build {
    /// The same build with digests in the place of values: of variables, commands, inline documents, build arguments and request
    /// headers. Of its Dockerfile only the keywords, and the names of variables and stages, are left. What a builder has measured
    /// is left out.
    ///
    /// The keys of its steps are those of this build. A short value can be guessed from its digest, by trying values until one
    /// fits.
    #[must_use]
    pub fn without_values(&self) -> Self {
        let steps: Vec<Step> = self.definition.steps().iter().map(step_without_values).collect();
        // The inputs are the same, so it is a definition as well.
        let definition = Definition::new(steps).unwrap_or_default();
        let keys = self.definition.steps().iter().enumerate().filter_map(|(position, _)| {
            let key = self.key(position)?.digest();
            let replaced = definition.step(position)?.key(&self.platform).ok()?.digest();
            (key != replaced).then_some((position, key))
        });
        let arguments = self.arguments.iter().map(|(name, value)| {
            let is_open = OPEN_ARGUMENTS.contains(&name.as_str());
            (name.clone(), if is_open { value.clone() } else { digest_of(value) })
        });
        Self {
            replaced_keys: keys.collect(),
            sources: self.sources.iter().map(source_without_values).collect(),
            resolved: self.resolved.iter().map(without_user).collect(),
            arguments: arguments.collect(),
            durations: BTreeMap::new(),
            cached: BTreeSet::new(),
            vertices: HashMap::new(),
            definition,
            ..self.clone()
        }
    }

    /// The key of a step; `None` for a source, for the last step, and where it cannot be computed.
    pub fn key(&self, position: usize) -> Option<StepKey> {
        let key = self.definition.step(position)?.key(&self.platform).ok()?;
        Some(match self.replaced_keys.get(&position) {
            Some(digest) => key.with_digest(*digest),
            None => key,
        })
    }
}

fn step_without_values(step: &Step) -> Step {
    let mut step = step.clone();
    match &mut step.op {
        Op::Exec(exec) => {
            exec.meta.args.iter_mut().for_each(|argument| *argument = digest_of(argument));
            for variable in &mut exec.meta.env {
                if let Some((name, value)) = variable.split_once('=') {
                    *variable = format!("{name}={}", digest_of(value));
                }
            }
        }
        Op::File(file) => {
            for action in &mut file.actions {
                if let FileActionKind::Mkfile(mkfile) = &mut action.kind {
                    mkfile.data = Digest::of(&mkfile.data).to_string().into_bytes();
                }
            }
        }
        Op::Source(source) => {
            if !matches!(source.kind(), SourceKind::Image(_)) {
                source.identifier = url_without_user(&source.identifier);
            }
            let headers = source.attributes.iter_mut().filter(|(name, _)| name.starts_with(REQUEST_HEADERS));
            headers.for_each(|(_, value)| *value = digest_of(value));
        }
        _ => {}
    }
    step
}

fn source_without_values(source: &SourceText) -> SourceText {
    let is_dockerfile = source.language.eq_ignore_ascii_case("Dockerfile");
    let text = if is_dockerfile { Dockerfile::parse(&source.text).without_values() } else { String::new() };
    SourceText { text, ..source.clone() }
}

fn without_user(resolved: &ResolvedDependency) -> ResolvedDependency {
    ResolvedDependency { uri: url_without_user(&resolved.uri), digests: resolved.digests.clone() }
}

/// A URL without the name and password before its host.
fn url_without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let host_end = rest.find('/').unwrap_or(rest.len());
    match rest.get(..host_end).and_then(|authority| authority.rfind('@')) {
        Some(at) => format!("{scheme}://{}", rest.get(at + 1..).unwrap_or_default()),
        None => url.to_owned(),
    }
}

fn digest_of(value: &str) -> String {
    Digest::of(value).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_loses_its_user_and_nothing_else() {
        for (url, expected) in [
            ("https://user:token@host/a@b", "https://host/a@b"),
            ("https://us@er:p@host", "https://host"),
            ("https://host/a@b", "https://host/a@b"),
            ("pkg:docker/app@1?platform=linux%2Famd64", "pkg:docker/app@1?platform=linux%2Famd64"),
            ("local://context", "local://context"),
        ] {
            assert_eq!(url_without_user(url), expected);
        }
    }
}
