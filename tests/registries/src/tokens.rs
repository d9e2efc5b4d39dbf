//! A token server by Docker's specification of token authentication. It can be made to omit members of its answers.
//!
//! Its tokens are JSON Web Tokens if it has a key to sign them, else words that only [`Grants`] know.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::SystemTime;

use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};

use crate::authority::Identity;
use crate::grants::{Access, Grants, Scope};
use crate::message::{Answer, Request};
use crate::server::Service;

/// How a token server answers.
#[derive(Clone, Debug)]
pub struct TokenBehavior {
    /// Names and passwords of the users.
    pub users: Vec<(String, String)>,
    /// The actions that anonymous users may do; `pull` by default.
    pub anonymous: Vec<String>,
    /// The members of an answer that hold the token.
    pub members: Vec<String>,
    /// The value of `expires_in`, in seconds; omitted if `None`.
    pub expires_in: Option<u64>,
    /// How many requests a token authorizes.
    pub uses: u64,
    /// Grants this scope in place of the requested ones.
    pub other_scope: Option<Scope>,
}

impl Default for TokenBehavior {
    fn default() -> Self {
        Self {
            users: Vec::new(),
            anonymous: vec!["pull".to_owned()],
            members: vec!["token".to_owned(), "access_token".to_owned()],
            expires_in: Some(300),
            uses: u64::MAX,
            other_scope: None,
        }
    }
}

/// A request for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenRequest {
    /// The user; `None` if anonymous.
    pub user: Option<String>,
    /// The service.
    pub service: String,
    /// The scopes, each as it was written.
    pub scopes: Vec<String>,
}

/// A token server.
#[derive(Debug, Default)]
pub struct Tokens {
    /// The tokens that it issued.
    pub grants: Arc<Grants>,
    behavior: Mutex<TokenBehavior>,
    requests: Mutex<Vec<TokenRequest>>,
    signer: Option<Identity>,
}

impl Tokens {
    /// The only path that it serves.
    pub const PATH: &'static str = "/token";
    /// The `iss` of its JSON Web Tokens.
    pub const ISSUER: &'static str = "token server of the tests";

    /// A server whose tokens are words.
    pub fn new(behavior: TokenBehavior) -> Self {
        Self { behavior: Mutex::new(behavior), ..Self::default() }
    }

    /// A server whose tokens are signed and hold the certificate, so that another program can verify them.
    pub fn signing(behavior: TokenBehavior, signer: Identity) -> Self {
        Self { signer: Some(signer), ..Self::new(behavior) }
    }

    /// Its behavior, which may be changed at any time.
    pub fn behavior(&self) -> MutexGuard<'_, TokenBehavior> {
        self.behavior.lock().unwrap()
    }

    /// The requests that have been granted so far.
    pub fn requests(&self) -> Vec<TokenRequest> {
        self.requests.lock().unwrap().clone()
    }

    /// A token that a user may exchange for another one by POST.
    pub fn refresh_token(user: &str) -> String {
        format!("refresh-{user}")
    }

    fn issue(&self, behavior: &TokenBehavior, request: &TokenRequest) -> Answer {
        let wanted: Vec<Access> = match &behavior.other_scope {
            Some(scope) => scope.accesses(),
            None => request.scopes.iter().flat_map(|scope| Scope(scope.clone()).accesses()).collect(),
        };
        let may = |access: &Access| request.user.is_some() || behavior.anonymous.contains(&access.action);
        let accesses: Vec<Access> = wanted.into_iter().filter(may).collect();
        let number = {
            let mut all = self.requests.lock().unwrap();
            all.push(request.clone());
            all.len()
        };
        let token = match &self.signer {
            Some(signer) => web_token(signer, request, &accesses, number),
            None => format!("token-{number}"),
        };
        self.grants.issue(&token, accesses, behavior.uses);
        let mut body = json!({});
        for member in &behavior.members {
            body[member] = Value::from(token.clone());
        }
        if let Some(seconds) = behavior.expires_in {
            body["expires_in"] = seconds.into();
        }
        if let (Some(user), true) =
            (&request.user, behavior.members.iter().any(|member| member == "refresh_token"))
        {
            body["refresh_token"] = Self::refresh_token(user).into();
        }
        Answer::new(200).json(&body)
    }
}

impl Service for Tokens {
    fn answer(&self, request: &Request, _: &str) -> Answer {
        if request.path() != Self::PATH {
            return Answer::new(404);
        }
        let behavior = self.behavior().clone();
        let (pairs, user) = match request.method.as_str() {
            "GET" => (request.query(), by_password(&behavior, request)),
            "POST" => (request.form(), by_form(&behavior, request)),
            _ => return Answer::new(405),
        };
        let Ok(user) = user else {
            return Answer::new(401).json(&json!({"details": "incorrect username or password"}));
        };
        let all =
            |name: &'static str| pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value);
        let scopes = all("scope").flat_map(|scopes| scopes.split(' ')).map(str::to_owned).collect();
        let service = all("service").next().cloned().unwrap_or_default();
        self.issue(&behavior, &TokenRequest { user, service, scopes })
    }
}

/// The user of a GET: none, or one with the correct password.
fn by_password(behavior: &TokenBehavior, request: &Request) -> Result<Option<String>, ()> {
    let Some(given) = request.header("Authorization") else { return Ok(None) };
    let encoded = |user: &str, password: &str| BASE64.encode(format!("{user}:{password}").as_bytes());
    let is = |(user, password): &&(String, String)| given == format!("Basic {}", encoded(user, password));
    behavior.users.iter().find(is).map(|(user, _)| Some(user.clone())).ok_or(())
}

/// The user of a POST, with the correct password or a refresh token.
fn by_form(behavior: &TokenBehavior, request: &Request) -> Result<Option<String>, ()> {
    let form = request.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    let is = |(user, password): &&(String, String)| match field("grant_type") {
        "password" => field("username") == user && field("password") == password,
        "refresh_token" => field("refresh_token") == Tokens::refresh_token(user),
        _ => false,
    };
    behavior.users.iter().find(is).map(|(user, _)| Some(user.clone())).ok_or(())
}

/// A JSON Web Token that Docker's registry accepts: ES256, the certificate in `x5c`.
fn web_token(signer: &Identity, request: &TokenRequest, accesses: &[Access], number: usize) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [BASE64.encode(signer.certificate())]});
    let access = |access: &Access| json!({"type": "repository", "name": access.repository, "actions": [access.action]});
    let claims = json!({
        "iss": Tokens::ISSUER,
        "sub": request.user.clone().unwrap_or_default(),
        "aud": request.service,
        "iat": now.as_secs(),
        "nbf": now.as_secs() - 60,
        "exp": now.as_secs() + 3600,
        "jti": number.to_string(),
        "access": accesses.iter().map(access).collect::<Vec<_>>(),
    });
    let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
    let text = format!("{}.{}", encode(&header), encode(&claims));
    format!("{text}.{}", BASE64URL_NOPAD.encode(&signer.sign(text.as_bytes())))
}
