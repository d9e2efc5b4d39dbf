//! The other end of a connection, as errors name it: the server, or the proxy on the way to it.
//!
//! It connects to nothing. The user and the password of a proxy never reach a message.

use hyper_util::client::proxy::matcher::Matcher;
use reqwest::Url;

use crate::http::loopback::is_loopback;
use crate::text::printable;

/// A server, and the proxy by which it is reached.
pub(crate) struct Peer {
    /// The server without its port.
    pub(crate) host: String,
    /// The server with its port.
    pub(crate) server: String,
    /// Whether it is to speak TLS.
    pub(crate) is_tls: bool,
    proxy: Option<ConfiguredProxy>,
}

/// A proxy that the environment names.
struct ConfiguredProxy {
    /// Its host, and its port if one is named.
    address: String,
    variable: String,
}

impl Peer {
    /// The peer of a request to a URL.
    pub(crate) fn of(url: Option<&Url>) -> Self {
        let Some((url, host)) = url.and_then(|url| Some((url, printable(url.host_str()?)))) else {
            let server = "the server".to_owned();
            return Self { host: server.clone(), server, is_tls: false, proxy: None };
        };
        let port = url.port_or_known_default().map(|port| format!(":{port}")).unwrap_or_default();
        let (server, is_tls) = (format!("{host}{port}"), url.scheme() == "https");
        Self { server, is_tls, proxy: ConfiguredProxy::before(url), host }
    }

    /// The end of the connection that is made from here.
    pub(crate) fn nearest(&self) -> String {
        match &self.proxy {
            Some(proxy) => format!("the proxy {} of {}", proxy.address, proxy.variable),
            None => self.server.clone(),
        }
    }

    /// The end of the connection that is made from here. A server is named without its port, which a look-up does not need.
    pub(crate) fn nearest_host(&self) -> String {
        if self.proxy.is_some() { self.nearest() } else { self.host.clone() }
    }

    /// A reason why the nearest end is not reached, with an advice: this one, or that about the proxy.
    pub(crate) fn with_advice(&self, reason: &str, advice: Option<&str>) -> String {
        match (&self.proxy, advice) {
            (Some(proxy), _) => format!(
                "{reason}; check {}, or name {} in NO_PROXY to connect without a proxy",
                proxy.variable, self.host
            ),
            (None, Some(advice)) => format!("{reason}; {advice}"),
            (None, None) => reason.to_owned(),
        }
    }
}

impl ConfiguredProxy {
    /// The proxy by which requests to a URL are sent. reqwest chooses it with the same matcher.
    fn before(url: &Url) -> Option<Self> {
        if is_loopback(url) {
            return None;
        }
        let proxy = Matcher::from_env().intercept(&url.as_str().parse().ok()?)?;
        let host = proxy.uri().host()?;
        let port = proxy.uri().port_u16().map(|port| format!(":{port}")).unwrap_or_default();
        let names = [format!("{}_PROXY", url.scheme().to_uppercase()), "ALL_PROXY".to_owned()];
        let names = names.into_iter().flat_map(|name| [name.clone(), name.to_lowercase()]);
        let mut set = names.filter(|name| std::env::var(name).is_ok_and(|value| !value.is_empty()));
        Some(Self { address: printable(&format!("{host}{port}")), variable: set.next()? })
    }
}
