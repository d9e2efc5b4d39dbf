//! The tags of a repository, page by page.
//!
//! Malformed tags are skipped.

use cache_ingest::{Error, ErrorKind};
use cache_target::Reference;
use serde::Deserialize;

use crate::repository::RepositoryClient;
use crate::text::printable;

/// How many tags are requested at once.
const PAGE: u32 = 1000;

impl RepositoryClient {
    /// The tags of the repository, in the order of the registry. Malformed tags are skipped.
    pub(crate) async fn tags(&self) -> Result<Vec<String>, Error> {
        #[derive(Deserialize)]
        struct Page {
            tags: Option<Vec<String>>,
        }
        let call = self.call("list the tags of", self.repository().to_string());
        let mut url = self.client.url(&call, &self.path("tags/list")).await?;
        url.set_query(Some(&format!("n={PAGE}")));
        let mut tags = Vec::new();
        self.read_pages(&call, url, None, &mut |body| {
            let page: Page = serde_json::from_slice(body).map_err(|cause| {
                let cause = printable(&cause.to_string());
                call.operation.error(ErrorKind::Corrupt, format_args!("the list cannot be read: {cause}"))
            })?;
            tags.extend(page.tags.unwrap_or_default().into_iter().filter(|tag| Reference::is_tag(tag)));
            Ok(())
        })
        .await?;
        Ok(tags)
    }
}
