//! Which URLs lead to this machine: by the text alone, no name is looked up.

use reqwest::Url;

/// Whether a URL leads to this machine.
pub(crate) fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_by_any_of_its_addresses() {
        for text in
            ["http://localhost:1/", "http://127.0.0.1/", "http://127.9.8.7:5/", "https://[::1]:5000/x"]
        {
            assert!(is_loopback(&Url::parse(text).unwrap()), "{text}");
        }
        for text in [
            "http://localhost.example.com/",
            "http://128.0.0.1/",
            "http://[::2]/",
            "http://127.0.0.1.nip.io/",
        ] {
            assert!(!is_loopback(&Url::parse(text).unwrap()), "{text}");
        }
    }
}
