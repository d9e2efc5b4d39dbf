//! A cache's manifest as data, the same for every form.
//!
//! It never holds bytes: `pack` and `unpack` convert to and from bytes.

use cache_model::{Annotations, Descriptor};

use crate::forms::form::Form;
use crate::forms::rules::is_config;
use crate::{FormatError, ManifestOrIndex};

const WHAT: &str = "cache manifest";

/// The manifest of a cache, in any form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheManifest {
    /// Its form, in the store or to be written.
    pub form: Form,
    /// The layers: one for each entry of the config's `layers`, in that order, so a blob may appear twice.
    pub layers: Vec<Descriptor>,
    /// The cache config.
    pub config: Descriptor,
    /// The type of the artifact; BuildKit leaves it empty.
    pub artifact_type: String,
    /// The manifest that this one refers to.
    pub subject: Option<Descriptor>,
    /// Annotations of the manifest.
    pub annotations: Annotations,
}

impl CacheManifest {
    /// A manifest without artifact type, subject and annotations, as BuildKit writes it.
    pub fn new(form: Form, config: Descriptor, layers: Vec<Descriptor>) -> Self {
        Self {
            form,
            layers,
            config,
            artifact_type: String::new(),
            subject: None,
            annotations: Annotations::default(),
        }
    }

    /// The manifest of a cache in a document; `None` for a document that names no cache config, such as an image or
    /// an index of images.
    ///
    /// In the index forms the config is the last entry of its media type, at any position; other entries of that type
    /// are no layers.
    pub fn from_document(document: &ManifestOrIndex) -> Option<Self> {
        let in_form = |form: Form| {
            let (config, layers) = (form.rules().split)(document)?;
            Some(Self {
                form,
                layers,
                config: config.clone(),
                artifact_type: document.artifact_type().to_owned(),
                subject: document.subject().cloned(),
                annotations: document.annotations().clone(),
            })
        };
        Form::ALL.iter().copied().find_map(in_form)
    }

    /// Refuses a manifest that no reader could read.
    pub(crate) fn check(&self) -> Result<(), FormatError> {
        let wanted = &self.form.rules().config_type;
        if self.config.media_type != *wanted {
            let message = format!("the media type {} is not {wanted}", self.config.media_type);
            return Err(FormatError::invalid(WHAT, message).at(Some("config".to_owned())));
        }
        check_size(&self.config, || "config".to_owned())?;
        if let Some(subject) = &self.subject {
            check_size(subject, || "subject".to_owned())?;
        }
        for (position, layer) in self.layers.iter().enumerate() {
            let place = || format!("layer {position}");
            if is_config(layer) {
                let message = "a layer has the media type of the cache config";
                return Err(FormatError::invalid(WHAT, message).at(Some(place())));
            }
            check_size(layer, place)?;
        }
        Ok(())
    }
}

fn check_size(descriptor: &Descriptor, place: impl Fn() -> String) -> Result<(), FormatError> {
    if i64::try_from(descriptor.size).is_ok() {
        return Ok(());
    }
    let message = format!("size {} is out of range", descriptor.size);
    Err(FormatError::invalid(WHAT, message).at(Some(place())))
}
