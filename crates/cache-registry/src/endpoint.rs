//! The scheme, host and port of a registry.
//!
//! HTTPS, unless the registry is on this machine or the client is insecure. Then a request finds out which it supports.

use cache_ingest::ErrorKind;
use reqwest::{Method, StatusCode, Url};

use crate::call::Call;
use crate::error::RequestFailure;
use crate::http::connection_error::is_certificate_failure;
use crate::http::loopback::is_loopback;
use crate::http::transport::{Request, Transport};

/// Finds the endpoint of the registry of a call.
pub(crate) async fn find_endpoint(
    call: &Call<'_>,
    transport: &Transport,
    insecure: bool,
) -> Result<Url, RequestFailure> {
    let (operation, address) = (&call.operation, address(call.repository.host()));
    let parse = |scheme: &str| {
        let url = Url::parse(&format!("{scheme}://{address}/"));
        url.map_err(|cause| {
            operation.error(ErrorKind::Invalid, "the URL of its host is malformed").with_cause(cause)
        })
    };
    let (https, http) = (parse("https")?, parse("http")?);
    if is_loopback(&http) && !insecure && !transport.tls().is_asked_for(&https)? {
        return Ok(http);
    }
    if !is_loopback(&http) && !insecure {
        return Ok(https);
    }
    let mut ping = Request::new(Method::GET, https.clone());
    ping.url.set_path("v2/");
    let failure = match transport.exchange(&ping, None, operation).await {
        Ok(_) => return Ok(https),
        // It speaks TLS, and one side does not trust the other.
        Err(failure) if is_certificate_failure(&failure.error) => return Err(failure),
        Err(failure) => failure,
    };
    ping.url = http.clone();
    ping.url.set_path("v2/");
    // If plain HTTP fails as well, the failure of TLS says more.
    let Ok(answer) = transport.exchange(&ping, None, operation).await else { return Err(failure) };
    // A redirect to HTTPS, or a refusal of plain HTTP, comes from a registry with TLS that just failed to answer.
    let speaks_http = !answer.elsewhere && answer.status() != StatusCode::BAD_REQUEST;
    if speaks_http { Ok(http) } else { Err(failure) }
}

/// The host that answers for a registry. Docker Hub is called `docker.io` and answers elsewhere.
fn address(host: &str) -> &str {
    if host == "docker.io" { "registry-1.docker.io" } else { host }
}
