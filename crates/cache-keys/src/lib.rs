//! The keys of a BuildKit remote cache, the questions that a solver asks about them, and how they come to be.
//!
//! [`CacheKeys`] indexes the records of a cache. [`find`](CacheKeys::find) answers whether a build step is cached;
//! [`follow`](CacheKeys::follow), [`back_links`](CacheKeys::back_links) and [`results`](CacheKeys::results) answer the
//! smaller questions that BuildKit's solver asks. An index owns its graph, is cheap to clone, and can be moved into a
//! task or a struct.
//!
//! Pure: no I/O, no async. It knows nothing of where a cache is stored: `cache-export` writes one, `cache-import` reads
//! one.
//!
//! A solver names a step by the digest of its cache key and one of its outputs. The record of that output stands under
//! [`RecordDigest::of_output`](cache_model::RecordDigest::of_output), so that is the digest to add. Here one build adds
//! two steps and marshals them for the export, and another loads the config and asks:
//!
//! ```
//! use cache_keys::CacheKeys;
//! use cache_model::{CacheChains, Descriptor, Link, MediaType, NewResult, RecordDigest, Timestamp};
//!
//! // Add: a source, and a step that reads `/src` of it and made a layer.
//! let mut chains = CacheChains::new();
//! let source = chains.add(&RecordDigest::of_output("source", 0), &[], &[])?.expect("not random");
//! let layer = Descriptor::of(MediaType::OCI_LAYER_GZIP, "a layer");
//! let result = NewResult::new(chains.layers([&layer])?, Timestamp::now());
//! chains.add(&RecordDigest::of_output("copy", 0), &[&[Link::new(source, "/src")]], &[result])?;
//!
//! // Export and import: `cache-export` and `cache-import` move the config and the layers.
//! let exported = chains.marshal(&|_| true)?;
//! let imported = CacheChains::from_config(&exported.config, exported.layer_descriptors())?.chains;
//!
//! // Ask, step by step.
//! let keys = CacheKeys::new(imported)?;
//! let source = keys.find("source", 0, &[]);
//! let copy = keys.find("copy", 0, &[&source.links("/src")]);
//! assert!(copy.is_cached());
//! let newest = copy.results().next().expect("a cached step has a result");
//! assert_eq!(newest.layers()[0].size, 7);
//!
//! // A step that reads another part of the source is another step.
//! assert!(!keys.find("copy", 0, &[&source.links("/docs")]).is_cached());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # How keys come to be
//!
//! The digest of a step is that of its operation, as BuildKit's `CacheMap` computes it. A [`Step`] holds the operation as data.
//! [`Step::key`] computes its digest; [`Step::deps`] says for each input which selector its links have, and by which
//! [`ContentRule`] its content counts. A [`Tree`] answers what the content is. What a source resolves to gives its keys:
//! see [`SourceOp::kind`].
//!
//! ```
//! use cache_keys::{ExecMeta, ExecOp, Mount, Op, Step, StepOutput};
//! use cache_model::{Platform, RecordDigest};
//!
//! // RUN make, on the first output of the first step.
//! let args = ["/bin/sh", "-c", "make"].map(String::from).to_vec();
//! let root = Mount { input: Some(0), output: Some(0), dest: "/".into(), ..Mount::default() };
//! let meta = ExecMeta { args, cwd: "/".into(), ..ExecMeta::default() };
//! let run = Step {
//!     op: Op::Exec(Box::new(ExecOp { meta, mounts: vec![root], ..ExecOp::default() })),
//!     platform: None,
//!     inputs: vec![StepOutput { step: 0, output: 0 }],
//! };
//!
//! let key = run.key(&Platform::new("linux", "amd64"))?;
//! assert_eq!(key.fields()[3], ("Exec.meta.args[2]".to_owned(), "make".to_owned()));
//! let record = RecordDigest::of_output(key.digest(), 0);
//! assert!(record.to_string().starts_with("sha256:"));
//! let dep = &run.deps()[0];
//! assert!(dep.selector.is_some() && dep.content.is_none(), "the definition of the root counts, not its content");
//! # Ok::<(), cache_keys::NoKey>(())
//! ```

mod cache_keys;
mod content_rule;
mod find;
mod go_path;
mod key_id;
mod link_index;
mod links;
mod ops;
mod patterns;
mod results;
mod tree;

pub use cache_keys::CacheKeys;
pub use content_rule::{ContentRule, ContentSelector};
pub use find::{KeyLink, StepMatch};
pub use key_id::KeyId;
pub use links::{BackLink, LinkQuery};
pub use ops::{
    CacheMount, CacheSharing, CdiDevice, ContentCache, CopyAction, Definition, DefinitionError, Dep, DiffOp,
    ExecMeta, ExecOp, FileAction, FileActionKind, FileOp, FileSecret, GitSource, HttpFacts, HttpSource,
    ImageSource, MergeOp, MkdirAction, MkfileAction, Mount, MountKind, NoKey, Op, Owner, OwnerPart, RmAction,
    SecretEnv, SourceKind, SourceOp, Step, StepInput, StepKey, StepOutput, Ulimit, normalized,
};
pub use patterns::{
    PatternError, PatternMatches, Patterns, SentEntry, SentFilter, SentFolder, has_wildcard, ignore_patterns,
    path_match,
};
pub use results::ResultFilter;
pub use tree::{
    ContentError, DeviceNumber, Entry, EntryHasher, EntryKind, Header, LayerEntry, LayerError, LayerLimits,
    LayerOddity, LayerTree, LinkBelow, Tree, TreePath, Xattrs, clean_path,
};

/// The example of the README, as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
