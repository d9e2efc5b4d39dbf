//! A token server, as Docker's specification of token authentication describes it, that can also tell less than it
//! should.
//!
//! Its tokens are words that only [`Grants`] know, or JSON Web Tokens where it has a key to sign them with.

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
pub struct TokenManners {
    /// Names and passwords of the users.
    pub users: Vec<(String, String)>,
    /// What one without a name may do; `pull`, as a rule.
    pub anonymous: Vec<String>,
    /// The members that hold the token: `token`, `access_token`, or others.
    pub members: Vec<String>,
    /// The value of `expires_in`, in seconds; left out where it is `None`.
    pub expires_in: Option<u64>,
    /// How many requests a token is good for.
    pub uses: u64,
    /// Grants this scope, whatever was asked for.
    pub other_scope: Option<Scope>,
}

impl Default for TokenManners {
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
pub struct Asked {
    /// Who asked; `None` for one without a name.
    pub user: Option<String>,
    /// The service named.
    pub service: String,
    /// The scopes, each as it was written.
    pub scopes: Vec<String>,
}

/// A token server.
#[derive(Debug, Default)]
pub struct Tokens {
    /// What it issued.
    pub grants: Arc<Grants>,
    manners: Mutex<TokenManners>,
    asked: Mutex<Vec<Asked>>,
    signer: Option<Identity>,
}

impl Tokens {
    /// The path that it answers at.
    pub const PATH: &'static str = "/token";
    /// The `iss` of its JSON Web Tokens.
    pub const ISSUER: &'static str = "token server of the tests";

    /// One whose tokens are words.
    pub fn new(manners: TokenManners) -> Self {
        Self { manners: Mutex::new(manners), ..Self::default() }
    }

    /// One whose tokens are signed, with the certificate inside, so that another program can check them.
    pub fn signing(manners: TokenManners, signer: Identity) -> Self {
        Self { signer: Some(signer), ..Self::new(manners) }
    }

    /// Its manners, to be changed at any time.
    pub fn manners(&self) -> MutexGuard<'_, TokenManners> {
        self.manners.lock().unwrap()
    }

    /// The requests for tokens so far that were good.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    /// A token for another day: one that a user may exchange by POST.
    pub fn refresh_token(user: &str) -> String {
        format!("refresh-{user}")
    }

    fn issue(&self, manners: &TokenManners, asked: &Asked) -> Answer {
        let wanted: Vec<Access> = match &manners.other_scope {
            Some(scope) => scope.accesses(),
            None => asked.scopes.iter().flat_map(|scope| Scope(scope.clone()).accesses()).collect(),
        };
        let may = |access: &Access| asked.user.is_some() || manners.anonymous.contains(&access.action);
        let accesses: Vec<Access> = wanted.into_iter().filter(may).collect();
        let number = {
            let mut all = self.asked.lock().unwrap();
            all.push(asked.clone());
            all.len()
        };
        let token = match &self.signer {
            Some(signer) => web_token(signer, asked, &accesses, number),
            None => format!("token-{number}"),
        };
        self.grants.issue(&token, accesses, manners.uses);
        let mut body = json!({});
        for member in &manners.members {
            body[member] = Value::from(token.clone());
        }
        if let Some(seconds) = manners.expires_in {
            body["expires_in"] = seconds.into();
        }
        if let (Some(user), true) =
            (&asked.user, manners.members.iter().any(|member| member == "refresh_token"))
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
        let manners = self.manners().clone();
        let (pairs, user) = match request.method.as_str() {
            "GET" => (request.query(), by_password(&manners, request)),
            "POST" => (request.form(), by_form(&manners, request)),
            _ => return Answer::new(405),
        };
        let Ok(user) = user else {
            return Answer::new(401).json(&json!({"details": "incorrect username or password"}));
        };
        let all =
            |name: &'static str| pairs.iter().filter(move |(key, _)| key == name).map(|(_, value)| value);
        let scopes = all("scope").flat_map(|scopes| scopes.split(' ')).map(str::to_owned).collect();
        let service = all("service").next().cloned().unwrap_or_default();
        self.issue(&manners, &Asked { user, service, scopes })
    }
}

/// The user of a GET: none, or one with the right password.
fn by_password(manners: &TokenManners, request: &Request) -> Result<Option<String>, ()> {
    let Some(given) = request.header("Authorization") else { return Ok(None) };
    let encoded = |user: &str, password: &str| BASE64.encode(format!("{user}:{password}").as_bytes());
    let is = |(user, password): &&(String, String)| given == format!("Basic {}", encoded(user, password));
    manners.users.iter().find(is).map(|(user, _)| Some(user.clone())).ok_or(())
}

/// The user of a POST: with the right password, or a refresh token.
fn by_form(manners: &TokenManners, request: &Request) -> Result<Option<String>, ()> {
    let form = request.form();
    let field = |name: &str| form.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
    let is = |(user, password): &&(String, String)| match field("grant_type") {
        "password" => field("username") == user && field("password") == password,
        "refresh_token" => field("refresh_token") == Tokens::refresh_token(user),
        _ => false,
    };
    manners.users.iter().find(is).map(|(user, _)| Some(user.clone())).ok_or(())
}

/// A JSON Web Token that Docker's registry takes: ES256, the certificate in `x5c`.
fn web_token(signer: &Identity, asked: &Asked, accesses: &[Access], number: usize) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    let header = json!({"typ": "JWT", "alg": "ES256", "x5c": [BASE64.encode(signer.certificate())]});
    let access = |access: &Access| json!({"type": "repository", "name": access.repository, "actions": [access.action]});
    let claims = json!({
        "iss": Tokens::ISSUER,
        "sub": asked.user.clone().unwrap_or_default(),
        "aud": asked.service,
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
