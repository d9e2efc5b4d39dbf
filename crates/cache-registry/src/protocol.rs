//! Headers that several operations send.
//!
//! No request is sent here.

use cache_ingest::{Error, ErrorKind};
use cache_model::MediaType;
use reqwest::header::HeaderValue;

use crate::error::Operation;

/// The value of `Accept`: the media types of manifests that are understood.
pub(crate) fn accepted() -> String {
    let types =
        [MediaType::OCI_INDEX, MediaType::OCI_MANIFEST, MediaType::DOCKER_LIST, MediaType::DOCKER_MANIFEST];
    types.each_ref().map(MediaType::as_str).join(", ")
}

/// The value of a header, from a text that is expected to be valid as one.
pub(crate) fn header(text: &str, operation: &Operation) -> Result<HeaderValue, Error> {
    HeaderValue::from_str(text).map_err(|cause| {
        operation.error(ErrorKind::Invalid, "it cannot be sent in a header").with_cause(cause)
    })
}
