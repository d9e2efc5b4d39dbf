//! Removing names: a tag alone where the registry can, or a manifest by its digest, with all of its tags (OCI distribution
//! specification, "Content Management").
//!
//! It never removes more than its name says. Blobs are left to the registry's own garbage collection.

use cache_ingest::{Error, ErrorKind, Name};
use reqwest::{Method, StatusCode};

use crate::auth::scopes::Need;
use crate::error_response::ErrorResponse;
use crate::http::transport::Request;
use crate::repository::RepositoryClient;

impl RepositoryClient {
    /// Removes a tag, or a manifest with its tags. [`ErrorKind::Unsupported`] if the registry does not remove such a name.
    pub(crate) async fn remove(&self, name: &Name) -> Result<(), Error> {
        // Registries refuse the removal of a tag in many ways, so it is known first that there is one.
        self.resolve_descriptor(name).await?;
        let call = self.call_with(Need::Delete, "remove", self.named(name));
        let url = self.client.url(&call, &self.path_of_name(&call, name)?).await?;
        let answer = self.client.send(&call, &Request::new(Method::DELETE, url)).await?;
        if answer.status().is_success() {
            return Ok(());
        }
        let (response, error) = self.client.read_refusal(answer, &call.operation).await;
        match name {
            // The answer to an earlier attempt was lost, or another process was faster.
            _ if response.status == StatusCode::NOT_FOUND && self.is_gone(name).await? => Ok(()),
            Name::Digest(_) if refuses_removal(&response) => {
                let reason = format_args!(
                    "{}; it does not allow deletion: docker-registry does with REGISTRY_STORAGE_DELETE_ENABLED=true, others have it in their web interface",
                    error.reason()
                );
                Err(call.operation.error(ErrorKind::Unsupported, reason))
            }
            Name::Tag(_) | Name::Unspecified if error.kind() != ErrorKind::Denied => {
                let reason = format_args!("{}; it removes manifests by digest only", error.reason());
                Err(call.operation.error(ErrorKind::Unsupported, reason))
            }
            _ => Err(error),
        }
    }

    async fn is_gone(&self, name: &Name) -> Result<bool, Error> {
        match self.resolve_descriptor(name).await {
            Ok(_) => Ok(false),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(true),
            Err(error) => Err(error),
        }
    }
}

/// Whether an answer says that nothing can be removed.
fn refuses_removal(response: &ErrorResponse) -> bool {
    let statuses = [StatusCode::METHOD_NOT_ALLOWED, StatusCode::NOT_IMPLEMENTED];
    statuses.contains(&response.status) || response.has_code(&["UNSUPPORTED"])
}
