//! Issued tokens, and what they allow.
//!
//! The token server that issues them and the registry that checks them share one [`Grants`].

use std::collections::{BTreeSet, HashMap};
use std::sync::Mutex;

/// An action on a repository.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Access {
    /// The repository.
    pub repository: String,
    /// `pull`, `push` or `delete`.
    pub action: String,
}

/// A scope in the format of a token request, `repository:name:pull,push`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope(pub String);

impl Scope {
    /// The accesses that it requests; none if it is not about a repository.
    pub fn accesses(&self) -> Vec<Access> {
        let Some(rest) = self.0.strip_prefix("repository:") else { return Vec::new() };
        let Some((repository, actions)) = rest.rsplit_once(':') else { return Vec::new() };
        let access = |action: &str| Access { repository: repository.to_owned(), action: action.to_owned() };
        actions.split(',').map(access).collect()
    }
}

/// All issued tokens.
#[derive(Debug, Default)]
pub struct Grants {
    tokens: Mutex<HashMap<String, Grant>>,
}

#[derive(Debug)]
struct Grant {
    accesses: BTreeSet<Access>,
    /// How many more requests it authorizes.
    uses: u64,
}

/// Why a token is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It is unknown, or used up.
    Invalid,
    /// It is valid, but does not allow the request.
    Insufficient,
}

impl Grants {
    /// Issues a token for a number of requests.
    pub(crate) fn issue(&self, token: &str, accesses: impl IntoIterator<Item = Access>, uses: u64) {
        let grant = Grant { accesses: accesses.into_iter().collect(), uses };
        self.tokens.lock().unwrap().insert(token.to_owned(), grant);
    }

    /// Makes all tokens invalid, as a change of the registry's keys does.
    pub fn revoke_all(&self) {
        self.tokens.lock().unwrap().clear();
    }

    /// Uses a token once.
    pub(crate) fn spend(&self, token: &str, needed: &[Access]) -> Result<(), Refusal> {
        let mut tokens = self.tokens.lock().unwrap();
        let grant = tokens.get_mut(token).ok_or(Refusal::Invalid)?;
        if grant.uses == 0 {
            return Err(Refusal::Invalid);
        }
        if !needed.iter().all(|access| grant.accesses.contains(access)) {
            return Err(Refusal::Insufficient);
        }
        grant.uses -= 1;
        Ok(())
    }
}
