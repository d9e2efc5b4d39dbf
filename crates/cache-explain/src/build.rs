//! One build, as its record holds it: the steps, where they stand in the source, and what they gave.
//!
//! It is data that a reader of records fills in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use cache_keys::{Definition, StepOutput};
use cache_model::{Descriptor, Digest, Platform};

/// One build for one platform.
///
/// It holds values of build arguments and environment variables, which may be secrets: show names, and values only on request.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Build {
    /// The steps.
    pub definition: Definition,
    /// The platform of the builder, which counts for steps that name none.
    pub platform: Platform,
    /// The platform for which it was built, where the record names one: a record of several platforms has a build for each.
    pub target: Option<Platform>,
    /// The files from which the steps came, such as the Dockerfile.
    pub sources: Vec<SourceText>,
    /// By step, the instructions that gave it: none for a step that the frontend added, several if equal instructions became one
    /// step.
    pub locations: Vec<Vec<Location>>,
    /// What the sources resolved to.
    pub resolved: Vec<ResolvedDependency>,
    /// By the step that is a local folder, the patterns of its ignore file: what they match is not sent.
    pub excluded: BTreeMap<usize, Vec<String>>,
    /// The layers of outputs, lowest first. An output that was exported in several ways has several lists.
    pub layers: BTreeMap<StepOutput, Vec<Vec<Descriptor>>>,
    /// The arguments of the request: `build-arg:NAME`, `context:NAME`, `platform`, `target`.
    pub arguments: BTreeMap<String, String>,
    /// The diff IDs of the image on which the last stage stands, if the record holds them.
    pub base_diff_ids: Vec<Digest>,
    /// By step, how long it ran, if the record has a log.
    pub durations: BTreeMap<usize, Duration>,
    /// The steps whose results came from a cache, if the record has a log.
    pub cached: BTreeSet<usize>,
    /// By step, the key of a step in whose definition values were [replaced](Self::without_values); empty in a build that has its
    /// values.
    pub replaced_keys: BTreeMap<usize, Digest>,
    /// The steps by the digests under which a status log names them.
    pub vertices: HashMap<Digest, usize>,
}

/// A file from which steps came.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceText {
    /// The name of the file.
    pub filename: String,
    /// The language: `Dockerfile`.
    pub language: String,
    /// The text. Bytes that are not UTF-8 are replaced.
    pub text: String,
}

/// An instruction in a source file. Lines are numbered from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Location {
    /// The position of the file in [`Build::sources`].
    pub source: usize,
    /// The first line.
    pub first_line: usize,
    /// The last line.
    pub last_line: usize,
}

/// What a source resolved to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResolvedDependency {
    /// The source: `pkg:docker/example.com/app@1?platform=linux%2Famd64`, or the URL of a repository or file.
    pub uri: String,
    /// Digests by algorithm, in hexadecimal: `sha256` of a manifest or a file, `sha1` of a commit.
    pub digests: BTreeMap<String, String>,
}

impl Build {
    /// A build of these steps on a builder of this platform. All else is empty.
    pub fn new(definition: Definition, platform: Platform) -> Self {
        let locations = vec![Vec::new(); definition.steps().len()];
        Self {
            definition,
            platform,
            target: None,
            sources: Vec::new(),
            locations,
            resolved: Vec::new(),
            excluded: BTreeMap::new(),
            layers: BTreeMap::new(),
            arguments: BTreeMap::new(),
            base_diff_ids: Vec::new(),
            durations: BTreeMap::new(),
            cached: BTreeSet::new(),
            replaced_keys: BTreeMap::new(),
            vertices: HashMap::new(),
        }
    }
}
