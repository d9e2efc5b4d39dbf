//! The paths of the distribution API.
//!
//! Names and digests are not checked here.

use crate::message::Request;

/// The resource that a path names.
pub(super) enum Route {
    Ping,
    Catalog,
    Blob(String, String),
    Uploads(String),
    Upload(String, String),
    Manifest(String, String),
    Tags(String),
    Referrers(String, String),
}

impl Route {
    pub(super) fn of(request: &Request) -> Option<Self> {
        let path = request.path().strip_prefix("/v2/")?;
        match path {
            "" => return Some(Self::Ping),
            "_catalog" => return Some(Self::Catalog),
            _ => {}
        }
        if let Some(name) = path.strip_suffix("/tags/list") {
            return Some(Self::Tags(name.to_owned()));
        }
        if let Some((name, id)) = path.split_once("/blobs/uploads/") {
            let name = name.to_owned();
            return Some(if id.is_empty() { Self::Uploads(name) } else { Self::Upload(name, id.to_owned()) });
        }
        let (name, last) = path.rsplit_once('/')?;
        if let Some(name) = name.strip_suffix("/blobs") {
            return Some(Self::Blob(name.to_owned(), last.to_owned()));
        }
        if let Some(name) = name.strip_suffix("/referrers") {
            return Some(Self::Referrers(name.to_owned(), last.to_owned()));
        }
        Some(Self::Manifest(name.strip_suffix("/manifests")?.to_owned(), last.to_owned()))
    }

    pub(super) fn repository(&self) -> Option<&str> {
        match self {
            Self::Ping | Self::Catalog => None,
            Self::Blob(name, _)
            | Self::Uploads(name)
            | Self::Upload(name, _)
            | Self::Manifest(name, _)
            | Self::Tags(name)
            | Self::Referrers(name, _) => Some(name),
        }
    }
}
