//! The scopes of a token: repositories, and what it allows there.
//!
//! They are sorted, so that one set has one text.

use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What a request needs of a repository. Each allows what the ones before it allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Need {
    Pull,
    Push,
    Delete,
}

impl Need {
    fn actions(self) -> &'static [Action] {
        match self {
            Self::Pull => &[Action::Pull],
            Self::Push => &[Action::Pull, Action::Push],
            // Some registries delete for users who may push, others have an action for it.
            Self::Delete => &[Action::Pull, Action::Push, Action::Delete],
        }
    }

    /// Whether a request with this need may use a token for an action. The action of listing is harmless.
    fn allows(self, action: Action) -> bool {
        action == Action::MetadataRead || self.actions().contains(&action)
    }
}

/// Paths of repositories, with what is needed of each.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Scopes(BTreeMap<String, Need>);

impl Scopes {
    pub(crate) fn new(path: &str, need: Need) -> Self {
        Self(BTreeMap::from([(path.to_owned(), need)]))
    }

    /// Adds the right to pull from another repository.
    pub(crate) fn and_pull(mut self, path: &str) -> Self {
        self.0.entry(path.to_owned()).or_insert(Need::Pull);
        self
    }

    /// Whether a token with these scopes also serves requests that need the others.
    pub(crate) fn cover(&self, others: &Self) -> bool {
        others.0.iter().all(|(path, need)| self.0.get(path).is_some_and(|held| held >= need))
    }

    /// The texts for a token server, with the further scopes that it has to grant.
    pub(crate) fn texts(&self, named: &NamedScopes) -> Vec<String> {
        let mut scopes: BTreeMap<&str, BTreeSet<Action>> = BTreeMap::new();
        for (path, need) in &self.0 {
            scopes.entry(path).or_default().extend(need.actions());
        }
        for (path, actions) in named.0.get(self).into_iter().flatten() {
            scopes.entry(path).or_default().extend(actions);
        }
        let text = |(path, actions): (&str, BTreeSet<Action>)| {
            let actions: Vec<&str> = actions.into_iter().map(Action::as_str).collect();
            format!("repository:{path}:{}", actions.join(","))
        };
        scopes.into_iter().map(text).collect()
    }
}

/// An action on a repository that a token may allow, in the order in which they are requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Action {
    Pull,
    Push,
    Delete,
    /// Azure's registry requires it for listing tags.
    MetadataRead,
}

impl Action {
    const ALL: [Self; 4] = [Self::Pull, Self::Push, Self::Delete, Self::MetadataRead];

    fn as_str(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "push",
            Self::Delete => "delete",
            Self::MetadataRead => "metadata_read",
        }
    }
}

/// The scopes that a registry's challenges named for requests with some scopes.
///
/// A registry behind a proxy that rewrites paths names the paths that it knows itself, and containerd requests every scope
/// of a challenge. But a registry must not decide how much a token allows, so only actions that the request itself needs
/// are requested: for reading, never `push`.
#[derive(Debug, Default)]
pub(crate) struct NamedScopes(HashMap<Scopes, BTreeMap<String, BTreeSet<Action>>>);

impl NamedScopes {
    /// Learns from the scope of a challenge to a request with these scopes.
    pub(crate) fn learn(&mut self, challenge: &str, scopes: &Scopes) {
        let most = scopes.0.values().max().copied().unwrap_or(Need::Pull);
        for part in challenge.split_ascii_whitespace() {
            let named = part.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
            let Some((path, actions)) = named.filter(|(path, _)| !path.is_empty()) else { continue };
            let need = scopes.0.get(path).copied().unwrap_or(most);
            for action in Action::ALL {
                let is_named = actions.split(',').any(|name| name == action.as_str());
                if is_named && need.allows(action) {
                    let learnt = self.0.entry(scopes.clone()).or_default();
                    learnt.entry(path.to_owned()).or_default().insert(action);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_merged_and_cover_narrower_ones() {
        let push = Scopes::new("team/app", Need::Push);
        let mount = push.clone().and_pull("team/app").and_pull("a");
        assert_eq!(
            mount.texts(&NamedScopes::default()),
            ["repository:a:pull", "repository:team/app:pull,push"]
        );
        assert!(mount.cover(&push) && push.cover(&Scopes::new("team/app", Need::Pull)));
        assert!(!push.cover(&mount) && !Scopes::new("team/app", Need::Pull).cover(&push));
    }

    #[test]
    fn a_registry_may_name_other_scopes_and_no_more_than_the_request_needs() {
        let mut named = NamedScopes::default();
        let (pull, push) = (Scopes::new("team/app", Need::Pull), Scopes::new("team/app", Need::Push));
        named.learn("repository:team/app:pull,push,delete,*,metadata_write registry:catalog:* y", &pull);
        named.learn("repository::pull repository:a repository(plugin):b:pull repository:c:delete", &pull);
        assert_eq!(pull.texts(&named), ["repository:team/app:pull"]);
        named.learn("repository:team/app:delete,metadata_read", &pull);
        assert_eq!(pull.texts(&named), ["repository:team/app:pull,metadata_read"]);
        named.learn("repository:h:1/real:push,pull,delete", &pull);
        assert_eq!(
            pull.texts(&named),
            ["repository:h:1/real:pull", "repository:team/app:pull,metadata_read"]
        );
        assert_eq!(push.texts(&named), ["repository:team/app:pull,push"]);
        named.learn("repository:real:push,pull,delete", &push);
        assert_eq!(push.texts(&named), ["repository:real:pull,push", "repository:team/app:pull,push"]);
        let delete = Scopes::new("team/app", Need::Delete);
        named.learn("repository:team/app:delete repository:real:push,delete", &delete);
        let texts = ["repository:real:push,delete", "repository:team/app:pull,push,delete"];
        assert_eq!(delete.texts(&named), texts);
        assert!(delete.cover(&push) && !push.cover(&delete));
        // To mount, the other repository is only read.
        let mount = push.and_pull("other");
        named.learn("repository:other:pull,push", &mount);
        assert_eq!(mount.texts(&named), ["repository:other:pull", "repository:team/app:pull,push"]);
    }
}
