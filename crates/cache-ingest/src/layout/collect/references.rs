//! The digests in a JSON document: wherever one stands, something may need its blob.
//!
//! Nothing else of a document is read, except the media type beside a digest. It says whether the blob is a document itself.

use std::fmt;

use cache_model::{Digest, MediaType};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A digest in a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) digest: Digest,
    /// Whether its descriptor says that the blob is JSON.
    pub(crate) is_document: bool,
}

/// The digests in a JSON text, in order.
pub(crate) fn references(text: &[u8]) -> Result<Vec<Reference>, serde_json::Error> {
    // Go replaces invalid UTF-8, and so do the programs that write such documents.
    let text = String::from_utf8_lossy(text);
    let mut found = Vec::new();
    let mut json = serde_json::Deserializer::from_str(&text);
    ReferenceSearch(&mut found).deserialize(&mut json)?;
    json.end()?;
    Ok(found)
}

/// Whether blobs of a media type are JSON documents.
pub(crate) fn is_document(media_type: &MediaType) -> bool {
    media_type.is_manifest() || media_type.as_str().ends_with("+json")
}

/// Searches a value. Its outcome is the value itself, if it is a text.
struct ReferenceSearch<'f>(&'f mut Vec<Reference>);

impl<'de> DeserializeSeed<'de> for ReferenceSearch<'_> {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<Option<String>, D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for ReferenceSearch<'_> {
    type Value = Option<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<String>, E> {
        Ok(None)
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<String>, E> {
        if let Ok(digest) = text.parse() {
            self.0.push(Reference { digest, is_document: false });
        }
        Ok(Some(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Option<String>, A::Error> {
        while list.next_element_seed(ReferenceSearch(self.0))?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Option<String>, A::Error> {
        let (mut digest, mut media_type) = (None, None);
        while let Some(key) = members.next_key::<String>()? {
            self.0.extend(key.parse().ok().map(|digest| Reference { digest, is_document: false }));
            let value = members.next_value_seed(ReferenceSearch(self.0))?;
            match key.as_str() {
                "digest" => digest = value,
                "mediaType" => media_type = value,
                _ => {}
            }
        }
        let digest: Option<Digest> = digest.and_then(|digest| digest.parse().ok());
        let is_document = media_type.is_some_and(|media_type| is_document(&MediaType::new(&media_type)));
        self.0.extend(digest.filter(|_| is_document).map(|digest| Reference { digest, is_document }));
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_counts_wherever_it_stands_and_a_descriptor_says_which_are_documents() {
        let digest = |n: u8| Digest::sha256([n; 32]);
        let text = format!(
            r#" {{"config":{{"size":1,"mediaType":"application/vnd.oci.image.config.v1+json","digest":"{}"}},"layers":[{{"digest":"{}","mediaType":"x"}}],"subject":{{"digest":"{}"}},"a":[["{}",null,true,-1,1.5]],"b":"sha256:00","{}":{{}}}}"#,
            digest(1),
            digest(2),
            digest(3),
            digest(4),
            digest(5),
        );
        let found = references(text.as_bytes()).unwrap();
        let all: Vec<_> = found.iter().filter(|found| !found.is_document).map(|found| found.digest).collect();
        assert_eq!(all, [1, 2, 3, 4, 5].map(digest));
        let documents: Vec<_> = found.iter().filter(|found| found.is_document).collect();
        assert_eq!(documents, [&Reference { digest: digest(1), is_document: true }]);
        for wrong in ["", "{", "{} {}", "[\"", &"[".repeat(1000)] {
            assert!(references(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(references(b"\"\xff\"").unwrap(), []);
    }
}
