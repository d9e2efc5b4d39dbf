//! Authorization at a registry: who may do what, and the challenge for all others.
//!
//! Tokens are checked here and issued elsewhere.

use std::sync::Arc;

use data_encoding::BASE64;

use super::route::Route;
use crate::grants::{Access, Grants, Refusal};
use crate::message::{Answer, Request};

/// How a registry authorizes requests.
#[derive(Clone, Debug, Default)]
pub enum Auth {
    /// Not at all.
    #[default]
    Open,
    /// By one user's password.
    Basic {
        /// Its name.
        user: String,
        /// Its password.
        password: String,
    },
    /// By tokens.
    Bearer {
        /// The address of the token server.
        realm: String,
        /// The registry's name at the token server.
        service: String,
        /// The valid tokens.
        grants: Arc<Grants>,
    },
}

/// The refusal of a request; `None` if it is allowed.
pub(super) fn refuse(auth: &Auth, request: &Request, route: &Route) -> Option<Answer> {
    let given = request.header("Authorization").unwrap_or_default();
    let unauthorized = |challenge: String| {
        Answer::error(401, "UNAUTHORIZED", "authentication required").with("WWW-Authenticate", challenge)
    };
    match auth {
        Auth::Open => None,
        Auth::Basic { user, password } => {
            let wanted = format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()));
            (given != wanted).then(|| unauthorized("Basic realm=\"Scripted Registry\"".to_owned()))
        }
        Auth::Bearer { realm, service, grants } => {
            let needed = needed(request, route);
            let refusal = match given.strip_prefix("Bearer ") {
                Some(token) => Some(grants.spend(token, &needed).err()?),
                None => None,
            };
            let mut challenge = format!("Bearer realm=\"{realm}\",service=\"{service}\"");
            if !needed.is_empty() {
                challenge += &format!(",scope=\"{}\"", scopes(&needed));
            }
            challenge += match refusal {
                Some(Refusal::Invalid) => ",error=\"invalid_token\"",
                Some(Refusal::Insufficient) => ",error=\"insufficient_scope\"",
                None => "",
            };
            Some(unauthorized(challenge))
        }
    }
}

/// The accesses that a request needs. A mount also needs to pull from the source.
fn needed(request: &Request, route: &Route) -> Vec<Access> {
    let Some(repository) = route.repository() else { return Vec::new() };
    let access = |repository: &str, action: &str| Access {
        repository: repository.to_owned(),
        action: action.to_owned(),
    };
    let mut needed = vec![access(repository, "pull")];
    match (request.method.as_str(), route) {
        ("GET" | "HEAD", _) => {}
        ("DELETE", Route::Manifest(..)) => needed.push(access(repository, "delete")),
        _ => needed.push(access(repository, "push")),
    }
    if let Some(from) = request.parameter("from") {
        needed.push(access(&from, "pull"));
    }
    needed
}

/// The scopes of a challenge.
fn scopes(accesses: &[Access]) -> String {
    let mut scopes: Vec<(&str, Vec<&str>)> = Vec::new();
    for access in accesses {
        match scopes.iter_mut().find(|(repository, _)| *repository == access.repository) {
            Some((_, actions)) => actions.push(&access.action),
            None => scopes.push((&access.repository, vec![&access.action])),
        }
    }
    let scope = |(name, actions): &(&str, Vec<&str>)| format!("repository:{name}:{}", actions.join(","));
    scopes.iter().map(scope).collect::<Vec<_>>().join(" ")
}
