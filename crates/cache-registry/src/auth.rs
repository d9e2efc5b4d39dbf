//! Authorization of requests to one registry: what it asks for, and what is sent.
//!
//! Learnt from its first 401 (RFC 9110, "HTTP Authentication"; Docker's token specification), never guessed. One
//! token serves all requests of a scope, and is asked for once, however many wait for it.

mod challenge;
mod scopes;
mod stored;
mod token;

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use cache_ingest::ErrorKind;
use reqwest::header::{HeaderMap, HeaderValue};
use tokio::sync::OnceCell;

use crate::credentials::Credentials;
use crate::error::{About, Failure};
use crate::http::transport::Transport;
use crate::lock::lock;
use crate::options::ClientOptions;
use challenge::Challenge;
use scopes::Asked;
pub(crate) use scopes::Scopes;
use stored::Found;
use token::Slot;

/// What a registry wants, as far as it is known, and what it was given.
#[derive(Debug, Default)]
pub(crate) struct Auth {
    challenge: Mutex<Option<Challenge>>,
    found: OnceCell<Found>,
    asked: Mutex<Asked>,
    /// By whose token it is, as the place of the credentials says, and what for.
    slots: Mutex<HashMap<(String, Scopes), Arc<Slot>>>,
}

impl Auth {
    /// What to authorize a request with; nothing before the registry has asked for it.
    pub(crate) async fn authorization(
        &self,
        (repository, scopes): (&str, &Scopes),
        transport: &Transport,
        options: &ClientOptions,
        about: &About,
    ) -> Result<Option<HeaderValue>, Failure> {
        let Some(challenge) = lock(&self.challenge).clone() else { return Ok(None) };
        let (realm, service) = match challenge {
            Challenge::Basic => {
                return Ok(self.credentials(repository, options, about).await?.1.basic());
            }
            Challenge::Bearer { realm, service, .. } => (realm, service),
        };
        let (whose, credentials) = self.credentials(repository, options, about).await?;
        let slot = self.slot(whose, scopes);
        let fetch = async {
            let scopes = scopes.texts(&lock(&self.asked));
            token::fetch(&realm, &service, &scopes, credentials, transport, about).await
        };
        slot.get(about, fetch).await.map(Some)
    }

    /// Takes note of a 401 from `url`, to a request with what was `used` for some scopes. Whether another try makes sense,
    /// since now more is known or what was used has been thrown away.
    pub(crate) async fn refused(
        &self,
        used: Option<&HeaderValue>,
        (repository, scopes): (&str, &Scopes),
        headers: &HeaderMap,
        (url, transport): (&reqwest::Url, &Transport),
        options: &ClientOptions,
        about: &About,
    ) -> Result<bool, Failure> {
        let Some(challenge) = challenge::choose(headers) else { return Ok(false) };
        if !transport.is_safe(url) {
            let reason = "the registry asks for credentials over plain HTTP, where anyone can read them; allow it with registry.insecure=true";
            return Err(about.error(ErrorKind::Denied, reason).into());
        }
        let again = match &challenge {
            Challenge::Basic => {
                let basic = self.credentials(repository, options, about).await?.1.basic();
                basic.is_some() && basic.as_ref() != used
            }
            Challenge::Bearer { realm, scope, .. } => {
                token::check_realm(realm, url, transport, about)?;
                lock(&self.asked).learn(scope, scopes);
                if let Some(used) = used {
                    lock(&self.slots).values().for_each(|slot| slot.forget(used));
                }
                true
            }
        };
        *lock(&self.challenge) = Some(challenge);
        Ok(again)
    }

    /// The place of someone's token for some scopes, or of one that is there and allows more.
    fn slot(&self, whose: &str, scopes: &Scopes) -> Arc<Slot> {
        let mut slots = lock(&self.slots);
        let wider = slots
            .iter()
            .find(|((holder, held), slot)| holder == whose && held.cover(scopes) && slot.live().is_some());
        if let Some((_, slot)) = wider {
            return slot.clone();
        }
        slots.entry((whose.to_owned(), scopes.clone())).or_default().clone()
    }

    /// The credentials for a repository, and the path that they are kept for; an empty one for the whole registry.
    async fn credentials<'c>(
        &'c self,
        repository: &str,
        options: &'c ClientOptions,
        about: &About,
    ) -> Result<(&'c str, &'c Credentials), Failure> {
        if let Some(given) = options.credentials.get(&about.host) {
            return Ok(("", given));
        }
        if !options.find_credentials {
            return Ok(("", &Credentials::Anonymous));
        }
        let found = self.found.get_or_try_init(|| stored::find(about)).await?;
        let picked = found.pick(repository);
        picked.map_err(|reason| about.error(ErrorKind::Denied, reason).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_for_whom_it_was_given() {
        let (auth, scopes) = (Auth::default(), Scopes::new("team/app", false));
        let slot = |whose| auth.slot(whose, &scopes);
        assert!(Arc::ptr_eq(&slot("team"), &slot("team")));
        assert!(!Arc::ptr_eq(&slot("team"), &slot("")));
    }
}
