//! What a registry asks for in `WWW-Authenticate` (RFC 9110, section 11.6.1).
//!
//! Reads any number of challenges, in one header or several, with quoted strings. What it does not understand it
//! passes over.

use reqwest::header::{HeaderMap, WWW_AUTHENTICATE};

/// How to authorize a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Challenge {
    /// With name and password.
    Basic,
    /// With a token of a server.
    Bearer {
        /// Where it is.
        realm: String,
        /// What it calls the registry.
        service: String,
        /// What the token has to allow.
        scope: String,
    },
}

/// The challenge to answer: a token before a password.
pub(crate) fn choose(headers: &HeaderMap) -> Option<Challenge> {
    let lines = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|line| line.to_str().ok());
    let challenges: Vec<Challenge> = lines.flat_map(parse).filter_map(understand).collect();
    let bearer = challenges.iter().find(|challenge| **challenge != Challenge::Basic);
    bearer.or(challenges.first()).cloned()
}

/// A scheme with its parameters.
#[derive(Debug, Default)]
struct Raw {
    scheme: String,
    parameters: Vec<(String, String)>,
}

fn understand(mut raw: Raw) -> Option<Challenge> {
    let mut take = |name: &str| {
        let found = raw.parameters.iter_mut().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| std::mem::take(value)).filter(|value| !value.is_empty())
    };
    if raw.scheme.eq_ignore_ascii_case("basic") {
        return Some(Challenge::Basic);
    }
    if !raw.scheme.eq_ignore_ascii_case("bearer") {
        return None;
    }
    let (service, scope) = (take("service").unwrap_or_default(), take("scope").unwrap_or_default());
    take("realm").map(|realm| Challenge::Bearer { realm, service, scope })
}

/// The challenges of one header. A comma parts challenges and parameters alike: a word that is followed by a word
/// begins a challenge, one that is followed by `=` is a parameter.
fn parse(line: &str) -> Vec<Raw> {
    let mut challenges: Vec<Raw> = Vec::new();
    let mut rest = line;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let (word, after) = word(rest);
        if word.is_empty() {
            // Something else than a word, such as a stray quote, is passed over.
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
            None => challenges.push(Raw { scheme: word.to_owned(), ..Raw::default() }),
        }
    }
}

/// A token (RFC 9110, section 5.6.2) and what follows it.
fn word(text: &str) -> (&str, &str) {
    let is_part = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~/".contains(c);
    text.split_at(text.find(|c| !is_part(c)).unwrap_or(text.len()))
}

/// A token or a quoted string, unquoted, and what follows it.
fn value(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        // Some registries leave out the quotes of a URL.
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
    fn what_makes_no_sense_is_no_challenge() {
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
