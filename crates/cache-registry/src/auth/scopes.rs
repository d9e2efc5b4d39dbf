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
            for action in asked.0.get(path).into_iter().flatten() {
                text.push(',');
                text.push_str(action);
            }
            text
        };
        self.0.iter().map(text).collect()
    }
}

/// Actions besides pull and push that a registry has asked for, by repository: Azure's wants `metadata_read` of who
/// lists tags.
#[derive(Debug, Default)]
pub(crate) struct Asked(BTreeMap<String, BTreeSet<String>>);

impl Asked {
    /// The most actions of one repository.
    const MOST: usize = 8;

    /// Takes note of the scope of a challenge, as far as it is about repositories that a token was for.
    pub(crate) fn learn(&mut self, scope: &str, scopes: &Scopes) {
        let is_action = |action: &str| {
            !matches!(action, "" | "pull" | "push" | "delete")
                && action.len() <= 32
                && action.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        for part in scope.split_ascii_whitespace() {
            let named = part.strip_prefix("repository:").and_then(|rest| rest.rsplit_once(':'));
            let Some((path, actions)) = named.filter(|(path, _)| scopes.0.contains_key(*path)) else {
                continue;
            };
            let held = self.0.entry(path.to_owned()).or_default();
            for action in actions.split(',').filter(|action| is_action(action)) {
                if held.len() < Self::MOST {
                    held.insert(action.to_owned());
                }
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
    fn what_a_registry_asks_for_besides_is_asked_of_its_token_server_and_never_more_rights_than_to_read() {
        let mut asked = Asked::default();
        let scopes = Scopes::new("team/app", false);
        let scope = "repository:team/app:pull,push,delete,*,metadata_read,Odd repository:other:x registry:catalog:* y";
        asked.learn(scope, &scopes);
        assert_eq!(scopes.texts(&asked), ["repository:team/app:pull,metadata_read"]);
        assert_eq!(Scopes::new("other", true).texts(&asked), ["repository:other:pull,push"]);
        let many: Vec<String> = (0..100u8).map(|n| "a".repeat(usize::from(n) + 1)).collect();
        asked.learn(&format!("repository:team/app:{}", many.join(",")), &scopes);
        assert_eq!(scopes.texts(&asked)[0].split(',').count(), 1 + Asked::MOST);
    }
}
