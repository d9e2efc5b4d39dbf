//! What requests to a registry have in common: the types of manifests that are accepted and headers.

use cache_ingest::{Error, ErrorKind};
use cache_model::MediaType;
use reqwest::header::HeaderValue;

use crate::error::Operation;

/// The media types of manifests that are understood, for `Accept`.
pub(crate) fn accepted() -> String {
    let types =
        [MediaType::OCI_INDEX, MediaType::OCI_MANIFEST, MediaType::DOCKER_LIST, MediaType::DOCKER_MANIFEST];
    types.each_ref().map(MediaType::as_str).join(", ")
}

/// A header of text that is known to fit.
pub(crate) fn header(text: &str, operation: &Operation) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text)
        .map_err(|cause| operation.error(ErrorKind::Invalid, "it makes no header").with_cause(cause))
}
