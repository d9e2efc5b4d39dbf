//! What a token is for: repositories, and whether they are written to.
//!
//! Sorted, so that one set has one text.

use std::collections::{BTreeMap, BTreeSet};

/// Repositories by path, with whether they are pushed to besides being pulled from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Scopes(BTreeMap<String, bool>);

impl Scopes {
    pub(crate) fn new(path: &str, push: bool) -> Self {
        Self(BTreeMap::from([(path.to_owned(), push)]))
    }

    /// The same, and to pull from another repository.
    pub(crate) fn and_pull(mut self, path: &str) -> Self {
        self.0.entry(path.to_owned()).or_insert(false);
        self
    }

    /// Whether these allow all that others do.
    pub(crate) fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|(path, push)| self.0.get(path).is_some_and(|held| held >= push))
    }

    /// The texts for a token server, with what the registry has asked for besides.
    pub(crate) fn texts(&self, asked: &Asked) -> Vec<String> {
        let text = |(path, push): (&String, &bool)| {
            let mut text = format!("repository:{path}:pull{}", if *push { ",push" } else { "" });
            if asked.0.contains(path) {
                text.push(',');
                text.push_str(METADATA_READ);
            }
            text
        };
        self.0.iter().map(text).collect()
    }
}

/// What Azure's registry wants of who lists tags.
const METADATA_READ: &str = "metadata_read";

/// The repositories whose registry wants more than to pull of who reads. Nothing but more reading is asked for: what a
/// registry names is not what a token should allow.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeSet<String>);

impl Asked {
    /// Takes note of the scope of a challenge, as far as it is about repositories that a token is for.
    pub(crate) fn learn(&mut self, scope: &str, scopes: &Scopes) {
        for part in scope.split_ascii_whitespace() {
            let named = part.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
            if let Some((path, actions)) = named
                && scopes.0.contains_key(path)
                && actions.split(',').any(|action| action == METADATA_READ)
            {
                self.0.insert(path.to_owned());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_merged_and_cover_what_needs_less() {
        let push = Scopes::new("team/app", true);
        let mount = push.clone().and_pull("team/app").and_pull("a");
        assert_eq!(mount.texts(&Asked::default()), ["repository:a:pull", "repository:team/app:pull,push"]);
        assert!(mount.cover(&push) && push.cover(&Scopes::new("team/app", false)));
        assert!(!push.cover(&mount) && !Scopes::new("team/app", false).cover(&push));
    }

    #[test]
    fn a_registry_may_ask_for_more_to_read_and_for_nothing_else() {
        let mut asked = Asked::default();
        let scopes = Scopes::new("team/app", false);
        asked.learn(
            "repository:team/app:pull,push,delete,*,metadata_write repository:other:metadata_read y",
            &scopes,
        );
        assert_eq!(scopes.texts(&asked), ["repository:team/app:pull"]);
        asked.learn("registry:catalog:* repository:team/app:delete,metadata_read", &scopes);
        assert_eq!(scopes.texts(&asked), ["repository:team/app:pull,metadata_read"]);
        assert_eq!(Scopes::new("other", true).texts(&asked), ["repository:other:pull,push"]);
    }
}
