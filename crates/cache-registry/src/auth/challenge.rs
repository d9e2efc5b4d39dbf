//! The challenges in `WWW-Authenticate`: how a registry wants requests to be authorized (RFC 9110, section 11.6.1).
//!
//! Reads any number of challenges, in one header or several, with quoted strings. Unknown schemes and malformed text are
//! skipped; nothing here is an error.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How to authorize a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With a user's name and password.
    Basic,
    /// With a token from a token server.
    Bearer {
        /// The URL of the token server.
        realm: String,
        /// The registry's name at the token server.
        service: String,
        /// The scopes that the token has to allow.
        scope: String,
    },
}

/// The challenge to answer. A token is preferred to a password.
pub(crate) fn choose(headers: &HeaderMap) -> Option<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
    let challenges: Vec<Challenge> = lines.flat_map(parse).filter_map(RawChallenge::into_challenge).collect();
    let bearer = challenges.iter().find(|challenge| **challenge != Challenge::Basic);
    bearer.or(challenges.first()).cloned()
}

/// A challenge of any scheme, with its parameters.
#[derive(Debug, Default)]
struct RawChallenge {
    scheme: String,
    parameters: Vec<(String, String)>,
}

impl RawChallenge {
    /// The challenge, if its scheme is known and complete.
    fn into_challenge(mut self) -> Option<Challenge> {
        let mut take = |name: &str| {
            let found = self.parameters.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name));
            found.map(|(_, value)| std::mem::take(value)).filter(|value| !value.is_empty())
        };
        if self.scheme.eq_ignore_ascii_case("basic") {
            return Some(Challenge::Basic);
        }
        if !self.scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let (service, scope) = (take("service").unwrap_or_default(), take("scope").unwrap_or_default());
        take("realm").map(|realm| Challenge::Bearer { realm, service, scope })
    }
}

/// The challenges of one header. Commas separate challenges as well as parameters: a word followed by `=` is a
/// parameter, any other word begins a challenge.
fn parse(line: &str) -> Vec<RawChallenge> {
    let mut challenges: Vec<RawChallenge> = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = word(rest);
        if word.is_empty() {
            // A character that begins no word, such as a stray quote, is skipped.
            let mut chars = rest.chars();
            if chars.next().is_none() {
                return challenges;
            }
            rest = chars.as_str();
            continue;
        }
        rest = after.trim_start_matches([' ', '\t']);
        match rest.strip_prefix('=') {
            Some(after) => {
                let (value, after) = value(after.trim_start_matches([' ', '\t']));
                rest = after;
                if let Some(challenge) = challenges.last_mut() {
                    challenge.parameters.push((word.to_owned(), value));
                }
            }
            None => challenges.push(RawChallenge { scheme: word.to_owned(), ..RawChallenge::default() }),
        }
    }
}

/// A token (RFC 9110, section 5.6.2) and the rest of the text.
fn word(text: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c);
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// The value of a token or of a quoted string, and the rest of the text.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        // Some registries omit the quotes around a URL.
        let (value, rest) = text.split_at(text.find([',', ' ', '\t']).unwrap_or(text.len()));
        return (value.to_owned(), rest);
    };
    let mut value = String::new();
    let mut chars = quoted.chars();
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => value.extend(chars.next()),
            c => value.push(c),
        }
    }
    (value, chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(lines: &[&str]) -> Option<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, line.parse().unwrap());
        }
        choose(&headers)
    }

    fn bearer(realm: &str, service: &str) -> Option<Challenge> {
        Some(Challenge::Bearer { realm: realm.into(), service: service.into(), scope: String::new() })
    }

    #[test]
    fn challenges_are_read_as_registries_write_them() {
        let hub = r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push",error="invalid_token""#;
        let (realm, service) = ("https://auth.docker.io/token".into(), "registry.docker.io".into());
        let scope = "repository:a/b:pull,push".into();
        assert_eq!(chosen(&[hub]), Some(Challenge::Bearer { realm, service, scope }));
        assert_eq!(chosen(&[r#"Basic realm="Registry Realm""#]), Some(Challenge::Basic));
        assert_eq!(chosen(&["basic"]), Some(Challenge::Basic));
        assert_eq!(chosen(&[r#"BEARER  Realm = "https://r/t" , Service=s"#]), bearer("https://r/t", "s"));
        assert_eq!(chosen(&["Bearer realm=https://r/t?a=b,service=s"]), bearer("https://r/t?a=b", "s"));
        assert_eq!(chosen(&[r#"Bearer realm="https://r/t""#]), bearer("https://r/t", ""));
    }

    #[test]
    fn a_token_comes_before_a_password_in_any_order() {
        let both = r#"Basic realm="x, Bearer y=\"z", Bearer realm="https://r/t",service="s""#;
        assert_eq!(chosen(&[both]), bearer("https://r/t", "s"));
        assert_eq!(chosen(&[r#"Bearer realm="https://r/t", Basic realm="x""#]), bearer("https://r/t", ""));
        assert_eq!(
            chosen(&["Negotiate abc==", "Basic", r#"Bearer realm="https://r/t""#]),
            bearer("https://r/t", "")
        );
    }

    #[test]
    fn malformed_text_is_no_challenge() {
        for line in [
            "",
            ",,,",
            "Bearer",
            r#"Bearer realm="""#,
            "Negotiate",
            "=",
            r#""""#,
            r#"realm="x""#,
            "\"",
            "Bearer =",
        ] {
            assert_eq!(chosen(&[line]), None, "{line}");
        }
        assert_eq!(chosen(&[r#"Bearer realm="https://r/t\"#]), bearer("https://r/t", ""));
    }
}
