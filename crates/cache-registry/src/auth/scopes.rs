//! What a token is for: repositories, and whether they are written to.
//!
//! Sorted, so that one set has one text.

use std::collections::BTreeMap;

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

    /// The texts for a token server.
    pub(crate) fn texts(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(path, push)| {
            let actions = if *push { "pull,push" } else { "pull" };
            format!("repository:{path}:{actions}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_merged_and_cover_what_needs_less() {
        let push = Scopes::new("team/app", true);
        let mount = push.clone().and_pull("team/app").and_pull("a");
        assert_eq!(mount.texts().collect::<Vec<_>>(), ["repository:a:pull", "repository:team/app:pull,push"]);
        assert!(mount.cover(&push) && push.cover(&Scopes::new("team/app", false)));
        assert!(!push.cover(&mount) && !Scopes::new("team/app", false).cover(&push));
    }
}
