//! The scopes of a token: repositories, and whether it allows to push to them.
//!
//! They are sorted, so that one set has one text.

use std::collections::{BTreeMap, BTreeSet};

/// Paths of repositories that are pulled from, with whether they are pushed to as well.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Scopes(BTreeMap<String, bool>);

impl Scopes {
    pub(crate) fn new(path: &str, push: bool) -> Self {
        Self(BTreeMap::from([(path.to_owned(), push)]))
    }

    /// Adds the right to pull from another repository.
    pub(crate) fn and_pull(mut self, path: &str) -> Self {
        self.0.entry(path.to_owned()).or_insert(false);
        self
    }

    /// Whether a token with these scopes also serves requests that need the others.
    pub(crate) fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|(path, push)| self.0.get(path).is_some_and(|held| held >= push))
    }

    /// The texts for a token server.
    pub(crate) fn texts(&self, extra: &ExtraScopes) -> Vec<String> {
        let text = |(path, push): (&String, &bool)| {
            let mut text = format!("repository:{path}:pull{}", if *push { ",push" } else { "" });
            if extra.0.contains(path) {
                text.push(',');
                text.push_str(METADATA_READ);
            }
            text
        };
        self.0.iter().map(text).collect()
    }
}

/// The action that Azure's registry requires for listing tags.
const METADATA_READ: &str = "metadata_read";

/// The repositories whose registry also requires `metadata_read` for reading.
///
/// No other scope that a registry names is requested: a registry must not decide how much a token allows.
#[derive(Debug, Default)]
pub(crate) struct ExtraScopes(BTreeSet<String>);

impl ExtraScopes {
    /// Learns from the scope of a challenge. Only the repositories of `scopes` matter.
    pub(crate) fn learn(&mut self, challenge: &str, scopes: &Scopes) {
        for part in challenge.split_ascii_whitespace() {
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
    fn scopes_are_merged_and_cover_narrower_ones() {
        let push = Scopes::new("team/app", true);
        let mount = push.clone().and_pull("team/app").and_pull("a");
        assert_eq!(
            mount.texts(&ExtraScopes::default()),
            ["repository:a:pull", "repository:team/app:pull,push"]
        );
        assert!(mount.cover(&push) && push.cover(&Scopes::new("team/app", false)));
        assert!(!push.cover(&mount) && !Scopes::new("team/app", false).cover(&push));
    }

    #[test]
    fn a_registry_may_ask_for_more_to_read_and_for_nothing_else() {
        let mut extra = ExtraScopes::default();
        let scopes = Scopes::new("team/app", false);
        extra.learn(
            "repository:team/app:pull,push,delete,*,metadata_write repository:other:metadata_read y",
            &scopes,
        );
        assert_eq!(scopes.texts(&extra), ["repository:team/app:pull"]);
        extra.learn("registry:catalog:* repository:team/app:delete,metadata_read", &scopes);
        assert_eq!(scopes.texts(&extra), ["repository:team/app:pull,metadata_read"]);
        assert_eq!(Scopes::new("other", true).texts(&extra), ["repository:other:pull,push"]);
    }
}
