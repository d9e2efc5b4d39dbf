//! Authorization of the requests to one registry: which scheme it asks for, and the credentials or token to send.
//!
//! The scheme is learnt from the registry's first 401 and never guessed (RFC 9110, "HTTP Authentication"; Docker's token
//! specification). One token serves all requests of a scope. It is requested once, however many requests wait for it.

mod challenge;
mod docker_config;
mod helper;
pub(crate) mod identity;
mod members;
pub(crate) mod scopes;
mod stored;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use cache_ingest::ErrorKind;
use cache_target::Repository;
use reqwest::header::HeaderValue;

use crate::auth::challenge::Challenge;
use crate::auth::identity::{Identity, IdentitySource, Refusal};
use crate::auth::scopes::{NamedScopes, Scopes};
use crate::auth::stored::StoredCredentials;
use crate::auth::token::{TokenRequest, TokenSlot, check_realm};
use crate::call::Call;
use crate::credentials::Credentials;
use crate::error::RequestFailure;
use crate::http::transport::{Answer, Transport};
use crate::lock::lock;
use crate::options::ClientOptions;
use crate::shared_attempt::SharedAttempt;

/// What is known about the authorization at one registry, and the tokens that it gave.
#[derive(Debug)]
pub(crate) struct Auth {
    transport: Arc<Transport>,
    /// The identity to use; `None` if the stored credentials are searched.
    configured: Option<Identity>,
    stored: OnceLock<StoredCredentials>,
    searching: SharedAttempt,
    challenge: Mutex<Option<Challenge>>,
    named_scopes: Mutex<NamedScopes>,
    tokens: Mutex<HashMap<TokenKey, Arc<TokenSlot>>>,
}

/// A token is kept by its owner and by what it allows.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct TokenKey {
    /// The path under which the owner's credentials are stored; empty if they are for the whole registry.
    owner: String,
    scopes: Scopes,
}

impl Auth {
    /// Nothing is known of the registry `host` yet.
    pub(crate) fn new(host: &str, options: &ClientOptions, transport: Arc<Transport>) -> Self {
        let anonymous = (!options.find_credentials).then_some(Credentials::Anonymous);
        let credentials = options.credentials.get(host).cloned().or(anonymous);
        let source = IdentitySource::Options;
        Self::of(credentials.map(|credentials| Identity { credentials, source }), transport)
    }

    /// Nothing is known of a host to which a registry redirects. It never gets credentials.
    pub(crate) fn elsewhere(transport: Arc<Transport>) -> Self {
        let identity = Identity { credentials: Credentials::Anonymous, source: IdentitySource::Redirect };
        Self::of(Some(identity), transport)
    }

    fn of(configured: Option<Identity>, transport: Arc<Transport>) -> Self {
        Self {
            transport,
            configured,
            stored: OnceLock::new(),
            searching: SharedAttempt::default(),
            challenge: Mutex::default(),
            named_scopes: Mutex::default(),
            tokens: Mutex::default(),
        }
    }

    /// The value of `Authorization` for a request; `None` until the registry has asked for it.
    pub(crate) async fn authorization(&self, call: &Call<'_>) -> Result<Option<HeaderValue>, RequestFailure> {
        let Some(challenge) = lock(&self.challenge).clone() else { return Ok(None) };
        let (owner, identity) = self.identity(call).await?;
        let credentials = &identity.credentials;
        let Challenge::Bearer { realm, service, .. } = challenge else { return Ok(credentials.basic()) };
        if let Some(token) = credentials.bearer() {
            return Ok(Some(token));
        }
        let fetch = async {
            let scopes = call.scopes.texts(&lock(&self.named_scopes));
            let request = TokenRequest { realm: &realm, service: &service, scopes: &scopes, identity };
            request.send(&self.transport, &call.operation).await
        };
        self.token_slot(owner, &call.scopes).get(&call.operation, fetch).await.map(Some)
    }

    /// Learns from a 401 to a request that was authorized by `used`.
    ///
    /// Returns whether to try again: either more is known now, or the token that was used has been dropped.
    pub(crate) async fn learn(
        &self,
        call: &Call<'_>,
        used: Option<&HeaderValue>,
        unauthorized: &Answer,
    ) -> Result<bool, RequestFailure> {
        let Some(challenge) = challenge::choose(unauthorized.response.headers()) else { return Ok(false) };
        if !self.transport.is_safe(&unauthorized.url) {
            let reason = "the registry asks for credentials over plain HTTP, where anyone can read them; allow it with --insecure";
            return Err(call.operation.error(ErrorKind::Denied, reason).into());
        }
        let again = match &challenge {
            Challenge::Basic => {
                let basic = self.identity(call).await?.1.credentials.basic();
                basic.is_some() && basic.as_ref() != used
            }
            Challenge::Bearer { realm, scope, .. } => {
                check_realm(realm, &unauthorized.url, &self.transport, &call.operation)?;
                lock(&self.named_scopes).learn(scope, &call.scopes);
                if let Some(used) = used {
                    lock(&self.tokens).values().for_each(|slot| slot.forget(used));
                }
                let token = self.identity(call).await?.1.credentials.bearer();
                token.is_none() || token.as_ref() != used
            }
        };
        *lock(&self.challenge) = Some(challenge);
        Ok(again)
    }

    /// What to do about a refusal of a request to a repository.
    pub(crate) fn advice(&self, repository: &Repository, refusal: Refusal) -> String {
        let challenge = lock(&self.challenge).clone();
        let stored = || Some(self.stored.get()?.pick(repository.path()).ok()?.1);
        let identity = challenge.as_ref().and_then(|_| self.configured.as_ref().or_else(stored));
        let Some(identity) = identity else { return refusal.advice(repository.host()) };
        // A token server that gave a token has accepted the credentials.
        let is_vouched = challenge != Some(Challenge::Basic) && identity.credentials.bearer().is_none();
        identity.advice(repository.host(), if is_vouched { Refusal::Permission } else { refusal })
    }

    /// The slot of an owner's token for some scopes; while that has none, the slot of a live token that allows more.
    ///
    /// The registry may have named further scopes for these requests alone, so their own token comes first.
    fn token_slot(&self, owner: &str, scopes: &Scopes) -> Arc<TokenSlot> {
        let mut tokens = lock(&self.tokens);
        let own_key = TokenKey { owner: owner.to_owned(), scopes: scopes.clone() };
        let is_live = |slot: &TokenSlot| slot.live().is_some();
        if !tokens.get(&own_key).is_some_and(|own| is_live(own)) {
            let wider = tokens
                .iter()
                .find(|(key, slot)| key.owner == owner && key.scopes.cover(scopes) && is_live(slot));
            if let Some((_, slot)) = wider {
                return slot.clone();
            }
        }
        tokens.entry(own_key).or_default().clone()
    }

    /// The identity for a repository, and the path of its entry.
    async fn identity(&self, call: &Call<'_>) -> Result<(&str, &Identity), RequestFailure> {
        if let Some(configured) = &self.configured {
            return Ok(("", configured));
        }
        let search = async {
            let found = stored::find(&call.operation).await?;
            Ok(self.stored.get_or_init(|| found))
        };
        let stored = self.searching.get(&call.operation, || self.stored.get(), search).await?;
        stored
            .pick(call.repository.path())
            .map_err(|reason| call.operation.error(ErrorKind::Denied, reason).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::scopes::Need;

    #[test]
    fn a_token_is_for_whom_it_was_given() {
        let options = ClientOptions::default();
        let transport = Arc::new(Transport::new(&options).unwrap());
        let auth = Auth::new("r.example", &options, transport);
        let slot = |owner| auth.token_slot(owner, &Scopes::new("team/app", Need::Pull));
        assert!(Arc::ptr_eq(&slot("team"), &slot("team")));
        assert!(!Arc::ptr_eq(&slot("team"), &slot("")));
    }
}
