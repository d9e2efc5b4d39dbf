//! Opening the source and the destination that the user named.
//!
//! Errors name the target as it was typed; hints are for mistakes in it.

use std::path::PathBuf;
use std::sync::Arc;

use cache_export::{Destination, form_of};
use cache_format::Form;
use cache_import::{Imported, OpenedCache};
use cache_ingest::{Event, Job, Name, Resolved, Swap, WriteStore};
use cache_target::{Attributes, ExportAttributes, Opened, Reference, Role};

use crate::failure::{CHECK_THE_PATH, Doing, Failure};
use crate::shell::quoted;
use crate::stores::{Stores, opening};

/// The name of a target in messages: its location, with the tag or digest.
pub(crate) fn place(target: &Opened) -> String {
    match &target.name {
        Name::Unspecified => target.location.clone(),
        Name::Tag(tag) => format!("{}:{tag}", target.location),
        Name::Digest(digest) => format!("{}@{digest}", target.location),
    }
}

/// The clause that an error of reading a target begins with.
pub(crate) fn reading(target: &Opened) -> String {
    format!("cannot read {}", place(target))
}

/// Opens the store of a source. Nothing is read from it yet.
pub(crate) async fn open_source(stores: &Stores, text: &str) -> Result<Opened, Failure> {
    let opened = stores.targets.open(text, Role::Source).await.doing(|| opening(text, Role::Source));
    opened.map_err(|failure| match failure {
        Failure::Failed { doing, kind, error, hint: Some(hint) }
            if hint == CHECK_THE_PATH && may_be_an_image(text) && is_a_folder(text) =>
        {
            let repository = "a repository in a registry is named with its host, as in docker.io/user/app";
            Failure::Failed { doing, kind, error, hint: Some(format!("{hint}; {repository}")) }
        }
        failure => failure,
    })
}

/// A source, and the manifest that it names.
pub(crate) struct OpenedSource {
    pub(crate) target: Opened,
    pub(crate) cache: OpenedCache,
}

impl OpenedSource {
    /// Opens a source and reads the manifest that it names.
    pub(crate) async fn open(stores: &Stores, text: &str) -> Result<Self, Failure> {
        let target = open_source(stores, text).await?;
        Self::of(stores, target, text).await
    }

    /// Reads the manifest that an opened target names, which the user named by `text`.
    pub(crate) async fn of(stores: &Stores, target: Opened, text: &str) -> Result<Self, Failure> {
        stores.job.event(&Event::Importing { what: "cache manifest", from: &place(&target) });
        let cache = cache_import::open(&*target.store, &target.name, &stores.job)
            .await
            .doing(|| reading(&target))
            .map_err(|failure| advise_to_list(failure, &target, text))?;
        Ok(Self { target, cache })
    }

    /// Reads the manifest that the name of an opened target stands for, as its store has resolved it.
    pub(crate) async fn of_resolved(
        stores: &Stores,
        target: Opened,
        resolved: &Resolved,
    ) -> Result<Self, Failure> {
        stores.job.event(&Event::Importing { what: "cache manifest", from: &place(&target) });
        let cache = cache_import::open_resolved(&*target.store, resolved, &stores.job).await;
        let cache = cache.doing(|| reading(&target))?;
        Ok(Self { target, cache })
    }

    /// Refuses anything that is not a cache, and leads to none.
    pub(crate) async fn check_is_cache(&self, stores: &Stores) -> Result<(), Failure> {
        match self.cache.manifest() {
            Some(_) => Ok(()),
            None => self.import(stores).await.map(drop),
        }
    }

    /// Reads the records, and reports every warning about them.
    pub(crate) async fn import(&self, stores: &Stores) -> Result<Imported, Failure> {
        let imported = self.import_silently(stores).await?;
        for warning in &imported.warnings {
            stores.job.event(&Event::Warning { message: &warning.to_string() });
        }
        Ok(imported)
    }

    /// Reads the records. The warnings are the caller's to report.
    pub(crate) async fn import_silently(&self, stores: &Stores) -> Result<Imported, Failure> {
        let imported = self.cache.import(&*self.target.store, &stores.job).await;
        imported.doing(|| self.reading())
    }

    pub(crate) fn place(&self) -> String {
        place(&self.target)
    }

    /// The clause that an error of reading begins with.
    pub(crate) fn reading(&self) -> String {
        reading(&self.target)
    }
}

/// A destination, and the form that option and attributes ask for; `None` if neither does.
pub(crate) struct OpenedDestination {
    target: Opened,
    store: Arc<dyn WriteStore>,
    pub(crate) form: Option<Form>,
    /// Whether blobs that it has are read and hashed.
    pub(crate) rehashes: bool,
    annotations: Vec<(String, String)>,
}

impl OpenedDestination {
    /// Opens a destination. The text is checked first, so that a mistake makes no folder.
    pub(crate) async fn open(stores: &Stores, text: &str, form: Option<Form>) -> Result<Self, Failure> {
        let doing = || opening(text, Role::Destination);
        let attributes = Attributes::parse(text, Role::Destination).doing(doing)?;
        let form = wanted_form(form, &ExportAttributes::of(&attributes).doing(doing)?)?;
        let target = stores.targets.open_attributes(&attributes, Role::Destination).await.doing(doing)?;
        match target.writer.clone() {
            Some(store) => {
                let (rehashes, annotations) = (stores.rehashes, stores.annotations.clone());
                Ok(Self { target, store, form, rehashes, annotations })
            }
            None => Err(Failure::Usage(format!("{}: it is read-only", doing()))),
        }
    }

    pub(crate) fn destination(&self) -> Destination<'_> {
        let destination = Destination::new(&*self.store, &self.target.name);
        destination.with_form(self.form).with_annotations(&self.annotations)
    }

    pub(crate) fn place(&self) -> String {
        place(&self.target)
    }

    /// The target as one to read from.
    pub(crate) fn target(&self) -> &Opened {
        &self.target
    }

    /// A replacement of the manifest that the destination names.
    pub(crate) fn swap<'a>(&'a self, job: &'a Job) -> Swap<'a> {
        Swap::new(&*self.target.store, &*self.store, &self.target.name, job)
    }

    /// Whether a failed export is to be a warning only (`ignore-error=true`).
    pub(crate) fn ignores_errors(&self) -> bool {
        self.target.export.ignore_error
    }
}

/// The same target in a role: a folder is named by `src` as a source, and by `dest` as a destination.
pub(crate) fn in_role(text: &str, role: Role) -> Result<String, Failure> {
    let named = Attributes::parse(text, role).doing(|| opening(text, role))?;
    let [to, from] = match role {
        Role::Source => ["src", "dest"],
        Role::Destination => ["dest", "src"],
    };
    if named.get(from).is_none() {
        return Ok(text.to_owned());
    }
    let mut renamed = Attributes::new(named.kind());
    named.iter().for_each(|(key, value)| renamed.set(if key == from { to } else { key }, value));
    Ok(renamed.to_string())
}

/// A cache that is to be replaced in place, as a destination. A manifest that is named by its digest cannot be replaced.
pub(crate) fn replaceable(text: &str) -> Result<String, Failure> {
    let attributes = Attributes::parse(text, Role::Source).doing(|| opening(text, Role::Source))?;
    let is_digest = |reference: &str| reference.parse::<Reference>().is_ok_and(|r| r.digest().is_some());
    if attributes.get("digest").is_some() || attributes.get("ref").is_some_and(is_digest) {
        return Err(Failure::Usage(format!(
            "--in-place replaces a tag, but {text} names a digest; name the tag"
        )));
    }
    in_role(text, Role::Destination)
}

/// The folder of a destination that is one.
pub(crate) fn destination_folder(text: &str) -> Option<PathBuf> {
    let attributes = Attributes::parse(text, Role::Destination).ok()?;
    attributes.get("dest").map(PathBuf::from)
}

/// The same failure; if a registry does not have the manifest that the user named, with the command that lists its tags. A
/// folder lists its tags in the error.
pub(crate) fn advise_to_list(failure: Failure, target: &Opened, text: &str) -> Failure {
    if is_a_folder(text) {
        return failure;
    }
    let command = format!("`bkcache ls {}` lists the tags", quoted(&target.location));
    let advice = match target.is_named {
        true => command,
        false => format!("without a tag, {} is read; {command}", Name::LATEST),
    };
    failure.advise_if_not_found(&advice)
}

/// The form that option and attributes ask for, which must not contradict each other.
fn wanted_form(option: Option<Form>, attributes: &ExportAttributes) -> Result<Option<Form>, Failure> {
    let by_attributes = form_of(attributes).doing(|| "cannot write that form".to_owned())?;
    let Some(by_attributes) = by_attributes else { return Ok(option) };
    match option {
        Some(form) if form != by_attributes => Err(Failure::Usage(format!(
            "--form {form} contradicts the destination's attributes, which ask for the form {by_attributes}"
        ))),
        _ => Ok(Some(by_attributes)),
    }
}

/// Whether a source is read as a folder.
pub(crate) fn is_a_folder(text: &str) -> bool {
    !Attributes::parse(text, Role::Source).is_ok_and(|attributes| attributes.kind() != "local")
}

/// Whether a text could be meant as the name of an image at Docker Hub.
fn may_be_an_image(text: &str) -> bool {
    !text.contains('=') && text.parse::<Reference>().is_ok()
}
