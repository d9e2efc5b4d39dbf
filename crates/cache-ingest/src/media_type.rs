//! The media type that a manifest states inside itself. Nothing else of it is read.

use cache_model::MediaType;
use serde::Deserialize;

/// The `mediaType` that a manifest or index states; `None` where it states none, or is no JSON object.
///
/// For stores that are asked for a manifest by its digest alone and keep no media type beside it.
pub fn stated_media_type(manifest: &[u8]) -> Option<MediaType> {
    #[derive(Deserialize)]
    struct Manifest {
        #[serde(rename = "mediaType")]
        media_type: Option<String>,
    }
    let manifest: Manifest = serde_json::from_slice(manifest).ok()?;
    manifest.media_type.map(|text| MediaType::new(&text)).filter(|media_type| !media_type.is_empty())
}
