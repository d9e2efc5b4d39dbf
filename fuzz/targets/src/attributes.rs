//! Any text as a target: it gives attributes or an error on one line. Attributes that are printed and read again stay the
//! same.
//!
//! The first byte chooses the role. Opening goes to a store in memory, so that no path is ever touched.

use std::sync::Arc;

use async_trait::async_trait;
use cache_ingest::{MemoryStore, Name};
use cache_target::{
    Attribute, Attributes, ExportAttributes, Opened, Role, Scheme, TargetError, Targets, ValueKind,
};

use crate::check::assert_one_line;

/// Runs the target on some bytes.
pub fn run(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Ok(text) = std::str::from_utf8(rest) else { return };
    let role = if first % 2 == 0 { Role::Source } else { Role::Destination };
    let attributes = match Attributes::parse(text, role) {
        Ok(attributes) => attributes,
        Err(error) => return assert_one_line(&error),
    };
    let printed = attributes.to_string();
    let again = Attributes::parse(&printed, role).expect("printed attributes can be read");
    assert_eq!(again, attributes, "{printed:?}");
    assert_eq!(again.to_string(), printed);
    read_values(&attributes);
    open(&attributes, role);
}

fn read_values(attributes: &Attributes) {
    for (key, value) in attributes.iter() {
        assert_eq!(attributes.get(key), Some(value));
        let errors = [
            attributes.boolean(key).err(),
            attributes.flag(key).err(),
            attributes.integer(key).err(),
            attributes.digest(key).err(),
        ];
        for error in errors.into_iter().flatten() {
            assert_eq!(error.attribute(), Some(key));
            assert_one_line(&error);
        }
    }
}

/// Checks the attributes against a store that takes some of each kind.
fn open(attributes: &Attributes, role: Role) {
    let mut targets = Targets::new();
    targets.register(Box::new(Memory));
    // Nothing waits: the store in memory opens at once.
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    match runtime.block_on(targets.open_attributes(attributes, role)) {
        Ok(opened) => assert!(attributes.kind() == "local" && opened.location == "memory"),
        Err(error) => assert_one_line(&error),
    }
}

struct Memory;

#[async_trait]
impl Scheme for Memory {
    fn kind(&self) -> &'static str {
        "local"
    }

    fn attributes(&self, role: Role) -> &'static [Attribute] {
        const BOTH: &[Attribute] = &[
            Attribute::new("src", ValueKind::Text),
            Attribute::new("tag", ValueKind::Text),
            Attribute::new("digest", ValueKind::Digest),
            Attribute::new("image-manifest", ValueKind::Bool),
            Attribute::new("oci-mediatypes", ValueKind::Bool),
            Attribute::new("ignore-error", ValueKind::Bool),
            Attribute::new("compression-level", ValueKind::Integer),
            Attribute::only("force-compression", ValueKind::Flag, "false", "layers stay as they are"),
            Attribute::only("mode", ValueKind::Choice(&["min", "max"]), "max", "all of it is written"),
            Attribute::refused("reset", ValueKind::Bool, "nothing is dropped"),
        ];
        match role {
            Role::Source => BOTH,
            Role::Destination => const { &[Attribute::new("dest", ValueKind::Text)] },
        }
    }

    async fn open(&self, attributes: &Attributes, _: Role) -> Result<Opened, TargetError> {
        let name = attributes.digest("digest")?.map_or(Name::Unspecified, Name::Digest);
        ExportAttributes::of(attributes)?;
        Ok(Opened::source("memory", name, Arc::new(MemoryStore::new())))
    }
}
