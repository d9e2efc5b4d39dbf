//! Lists that a registry gives page by page (OCI distribution specification, "Listing Tags", "Listing Referrers").
//!
//! Links to another host, circles and endless lists are errors.

use std::collections::HashSet;

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind};
use reqwest::header::{HeaderName, HeaderValue, LINK};
use reqwest::{Method, StatusCode, Url};

use crate::call::Call;
use crate::error::RequestFailure;
use crate::http::body::read_metadata;
use crate::http::transport::Request;
use crate::repository::RepositoryClient;

/// The most pages of a list.
const MOST_PAGES: usize = 1000;

impl RepositoryClient {
    /// Gives each page of a list to `take`, from the first one at `url` on.
    pub(crate) async fn read_pages(
        &self,
        call: &Call<'_>,
        mut url: Url,
        header: Option<(HeaderName, HeaderValue)>,
        take: &mut (dyn FnMut(&[u8]) -> Result<(), Error> + Send),
    ) -> Result<(), Error> {
        let origin = url.origin();
        let mut visited = HashSet::new();
        loop {
            let mut request = Request::new(Method::GET, url.clone());
            request.headers.extend(header.clone());
            let read = || self.read_page(call, &request);
            let (next, body) = self.client.repeat(&call.operation, read).await?;
            take(&body)?;
            let broken = |reason: &str| Err(call.operation.error(ErrorKind::Corrupt, reason));
            visited.insert(url);
            match next {
                None => return Ok(()),
                Some(next) if next.origin() != origin => return broken("the list continues at another host"),
                Some(next) if visited.contains(&next) => return broken("the list repeats a page"),
                Some(_) if visited.len() >= MOST_PAGES => return broken("the list does not end"),
                Some(next) => url = next,
            }
        }
    }

    /// Reads a page, and the URL of the next one.
    async fn read_page(
        &self,
        call: &Call<'_>,
        request: &Request,
    ) -> Result<(Option<Url>, Bytes), RequestFailure> {
        let answer = self.client.attempt(call, request).await?;
        if answer.status() != StatusCode::OK {
            return Err(self.client.read_refusal(answer, &call.operation).await.1.into());
        }
        let links = answer.response.headers().get_all(LINK);
        let next = links.iter().find_map(|link| next(&answer.url, link.to_str().ok()?));
        let silence = self.client.transport().silence();
        let body = read_metadata(answer.response, self.max_metadata(), silence, &call.operation).await?;
        Ok((next, body))
    }
}

/// The URL of the next page (RFC 8288; OCI distribution specification, "Listing Tags"). A field may hold several links.
fn next(from: &Url, field: &str) -> Option<Url> {
    let mut rest = field;
    loop {
        let (target, after) = rest.trim_start_matches([',', ' ', '\t']).strip_prefix('<')?.split_once('>')?;
        let (parameters, others) = after.split_at(after.find(unquoted(',')).unwrap_or(after.len()));
        let is_next = parameters.split(unquoted(';')).filter_map(|parameter| parameter.split_once('=')).any(
            |(name, value)| {
                name.trim().eq_ignore_ascii_case("rel")
                    && value.trim().trim_matches('"').eq_ignore_ascii_case("next")
            },
        );
        if is_next {
            return from.join(target).ok();
        }
        rest = others;
    }
}

/// Matches a character outside of quotes, in a text that is searched from its start.
fn unquoted(wanted: char) -> impl FnMut(char) -> bool {
    let mut quoted = false;
    move |c| {
        quoted ^= c == '"';
        c == wanted && !quoted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_on_where_its_link_says() {
        let from = Url::parse("https://r/v2/app/tags/list?n=2").unwrap();
        let next = |link| next(&from, link).map(String::from);
        let expected = Some("https://r/v2/app/tags/list?n=2&last=b".to_owned());
        assert_eq!(next(r#"</v2/app/tags/list?n=2&last=b>; rel="next""#), expected);
        assert_eq!(next("<https://r/v2/app/tags/list?n=2&last=b>;rel=next"), expected);
        let several =
            r#"</a>; rel="first"; title="a, <b>; rel=next", </v2/app/tags/list?n=2&last=b>; rel="next""#;
        assert_eq!(next(several), expected);
        for wrong in
            ["", "<", "<x>", r#"<x>; rel="prev""#, "x; rel=next", "<x>,", r#"<x>; title=", <y>; rel=next"#]
        {
            assert_eq!(next(wrong), None, "{wrong}");
        }
    }
}
