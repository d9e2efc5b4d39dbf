//! The host at the beginning of a reference: how it differs from a folder or a user, and its grammar.
//!
//! Only text is read here. No name is resolved.

use std::net::Ipv6Addr;

/// The registry of references without a host.
pub(crate) const DOCKER_HUB: &str = "docker.io";
/// Its other name in references.
const DOCKER_HUB_INDEX: &str = "index.docker.io";

/// The two parts of a host as it was typed. They may be malformed; [`Host::check`] verifies them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'t> {
    /// A name, an IPv4 address, or an IPv6 address in brackets.
    pub(crate) name: &'t str,
    /// The text after the colon.
    pub(crate) port: Option<&'t str>,
}

impl<'t> Host<'t> {
    /// Splits a text at the colon of its port. Colons between brackets belong to the address.
    pub(crate) fn split(text: &'t str) -> Self {
        match text.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => Self { name, port: Some(port) },
            _ => Self { name: text, port: None },
        }
    }

    /// Whether the first part of a reference is a host rather than a user of Docker Hub: it has a dot, a port or
    /// brackets, or is `localhost`.
    ///
    /// Docker takes a first part with upper case for a host, too. Such a host has no dot and no port, so it is far more
    /// likely a mistyped user.
    pub(crate) fn is_recognizable(self) -> bool {
        self.port.is_some()
            || self.name.contains('.')
            || self.name.starts_with('[')
            || self.name == "localhost"
    }

    /// Whether it is Docker Hub, by either name.
    pub(crate) fn is_docker_hub(self) -> bool {
        self.port.is_none() && [DOCKER_HUB, DOCKER_HUB_INDEX].contains(&self.name)
    }

    /// Whether the name is an IPv6 address in brackets.
    pub(crate) fn is_ipv6(self) -> bool {
        let address = self.name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
        address.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
    }

    /// Whether the port consists of digits only.
    pub(crate) fn has_digits_as_port(self) -> bool {
        self.port.is_some_and(|port| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()))
    }

    /// Whether the port is a number from 1 to 65535.
    pub(crate) fn has_valid_port(self) -> bool {
        self.has_digits_as_port()
            && self.port.is_some_and(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
    }

    /// An error with the reason if it is malformed.
    pub(crate) fn check(self) -> Result<(), String> {
        if let Some(rest) = self.name.strip_prefix('[') {
            let Some(address) = rest.strip_suffix(']') else {
                return Err("the host lacks a closing bracket".to_owned());
            };
            if address.parse::<Ipv6Addr>().is_err() {
                return Err(format!("{address:?} is not an IPv6 address"));
            }
        } else if !self.name.split('.').all(is_label) {
            return Err(format!("{:?} is not the name of a host", self.name));
        }
        match self.port {
            Some(port) if !self.has_valid_port() => Err(format!("{:?} is not a port", format!(":{port}"))),
            _ => Ok(()),
        }
    }
}

/// Whether a text is a label of a host's name: letters, digits and hyphens, no hyphen at either end.
fn is_label(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with('-')
        && !text.ends_with('-')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_stands_behind_the_last_colon_outside_of_brackets() {
        for (text, name, port) in [
            ("localhost", "localhost", None),
            ("localhost:5000", "localhost", Some("5000")),
            ("[::1]", "[::1]", None),
            ("[::1]:5000", "[::1]", Some("5000")),
            ("a:", "a", Some("")),
        ] {
            assert_eq!(Host::split(text), Host { name, port }, "{text}");
        }
    }
}
