//! Steps of small builds, and a builder that starts empty and exports a cache of them.

use std::collections::BTreeMap;

use cache_explain::{Build, Location, SourceText};
use cache_keys::{
    CopyAction, Definition, Entry, EntryKind, ExecOp, FileAction, FileActionKind, FileOp, Header, HttpFacts,
    ImageSource, MkfileAction, Mount, Op, SourceKind, SourceOp, Step, StepOutput, Tree,
};
use cache_model::{
    ANNOTATION_DIFF_ID, CacheChains, Descriptor, Digest, Link, MediaType, NewResult, Platform, RecordDigest,
    RecordId, Timestamp,
};

pub(crate) fn take(step: usize) -> StepOutput {
    StepOutput { step, output: 0 }
}

pub(crate) fn step(op: Op, inputs: &[usize]) -> Step {
    Step { op, platform: None, inputs: inputs.iter().map(|step| take(*step)).collect() }
}

pub(crate) fn source(identifier: &str) -> Step {
    let op = SourceOp { identifier: identifier.to_owned(), ..SourceOp::default() };
    step(Op::Source(op), &[])
}

pub(crate) fn image() -> Step {
    source(&format!("docker-image://example.com/base:1@{}", Digest::of("manifest")))
}

pub(crate) fn run(command: &str, root: usize) -> Step {
    let mount = Mount { input: Some(0), dest: "/".to_owned(), output: Some(0), ..Mount::default() };
    let mut exec = ExecOp { mounts: vec![mount], ..ExecOp::default() };
    exec.meta.args = vec![command.to_owned()];
    step(Op::Exec(Box::new(exec)), &[root])
}

pub(crate) fn action(kind: FileActionKind) -> FileAction {
    FileAction { input: None, secondary_input: None, output: Some(0), kind }
}

pub(crate) fn copy(path: &str, root: usize, from: usize) -> Step {
    let copy = CopyAction {
        src: path.to_owned(),
        dest: "/".to_owned(),
        mode: -1,
        timestamp: -1,
        ..CopyAction::default()
    };
    let copy = FileAction { input: Some(0), secondary_input: Some(1), ..action(FileActionKind::Copy(copy)) };
    step(Op::File(FileOp { actions: vec![copy] }), &[root, from])
}

pub(crate) fn document(text: &str) -> Step {
    let file =
        MkfileAction { path: "/doc".to_owned(), mode: 0o644, data: text.into(), timestamp: -1, owner: None };
    step(Op::File(FileOp { actions: vec![action(FileActionKind::Mkfile(file))] }), &[])
}

pub(crate) fn end(of: usize) -> Step {
    step(Op::End, &[of])
}

pub(crate) fn build(steps: impl IntoIterator<Item = Step>) -> Build {
    let definition = Definition::new(steps.into_iter().collect()).unwrap();
    Build::new(definition, Platform::new("linux", "amd64"))
}

pub(crate) fn file(text: &str) -> Entry {
    let (header, kind) = (Header::new(0o644, 0, 0), EntryKind::File { size: text.len() as u64 });
    let mut hasher = cache_keys::EntryHasher::new(&header, &kind);
    hasher.update(text.as_bytes());
    Entry::file(header, text.len() as u64, hasher.finish())
}

pub(crate) fn folder(text: &str) -> Tree {
    let mut tree = Tree::sent();
    tree.insert(b"/a", file(text));
    tree
}

pub(crate) fn layer(name: &str) -> Descriptor {
    Descriptor::of(MediaType::OCI_LAYER_GZIP, name)
        .with_annotation(ANNOTATION_DIFF_ID, &Digest::of(format!("{name}, expanded")).to_string())
}

/// A builder that starts empty, and the cache that it exports.
#[derive(Default)]
pub(crate) struct Builder {
    pub(crate) chains: CacheChains,
    /// The files of each step, as far as others read them.
    pub(crate) files: BTreeMap<usize, Tree>,
    /// The steps whose results are not exported.
    pub(crate) without_results: Vec<usize>,
    /// What tells the layers of one run from those of another.
    pub(crate) mark: &'static str,
}

impl Builder {
    pub(crate) fn with_files(mut self, step: usize, tree: Tree) -> Self {
        self.files.insert(step, tree);
        self
    }

    pub(crate) fn run(mut self, build: &Build) -> CacheChains {
        let mut made: Vec<Vec<RecordId>> = Vec::new();
        let base = layer("base");
        let mut stacks: Vec<Vec<Descriptor>> = Vec::new();
        for (position, step) in build.definition.steps().iter().enumerate() {
            let keys = match &step.op {
                Op::Source(source) => source_keys(source, build, &base),
                Op::End => Vec::new(),
                _ => vec![step.key(&build.platform).unwrap().digest()],
            };
            let mut inputs: Vec<Vec<(RecordId, String)>> = Vec::new();
            for (input, dep) in step.inputs.iter().zip(step.deps()) {
                let selector = dep.selector.map(|digest| digest.to_string()).unwrap_or_default();
                let mut links: Vec<_> =
                    made[input.step].iter().map(|record| (*record, selector.clone())).collect();
                if let (Some(rule), Some(tree)) = (&dep.content, self.files.get(&input.step)) {
                    let digest = tree.content(rule).unwrap();
                    links.push((self.chains.add(&digest, &[], &[]).unwrap().unwrap(), String::new()));
                }
                inputs.push(links);
            }
            let links: Vec<Vec<Link<'_>>> = inputs
                .iter()
                .map(|links| links.iter().map(|(record, selector)| Link::new(*record, selector)).collect())
                .collect();
            let links: Vec<&[Link<'_>]> = links.iter().map(Vec::as_slice).collect();
            let own = layer(&format!("layer of step {position}{}", self.mark));
            let mut stack = match step.inputs.first() {
                Some(input) if !stacks[input.step].is_empty() => stacks[input.step].clone(),
                _ => vec![base.clone()],
            };
            stack.push(own);
            let layers = self.chains.layers(&stack).unwrap();
            stacks.push(if step.inputs.is_empty() { Vec::new() } else { stack });
            let has_result = !links.is_empty() && !self.without_results.contains(&position);
            let results = [NewResult::new(layers, Timestamp::from_unix(1, 0).unwrap())];
            let results: &[NewResult] = if has_result { &results } else { &[] };
            let records = keys.iter().map(|key| {
                self.chains.add(&RecordDigest::of_output(key, 0), &links, results).unwrap().unwrap()
            });
            made.push(records.collect());
        }
        self.chains
    }
}

/// The keys of a source as a builder finds them.
pub(crate) fn source_keys(source: &SourceOp, build: &Build, base: &Descriptor) -> Vec<Digest> {
    match source.kind() {
        SourceKind::Image(image) => {
            let manifest = image.digest().unwrap_or_else(|| Digest::of("manifest"));
            let layers = ImageSource::layers_key(&[base.diff_id().unwrap()]).unwrap();
            vec![image.manifest_key(&manifest, &build.platform), layers]
        }
        SourceKind::Git(git) => git.keys(&"c".repeat(40)),
        SourceKind::Http(http) => {
            let checksum = Digest::of("a download");
            let date = Some("Mon, 02 Jan 2006 15:04:05 GMT");
            vec![http.key(&HttpFacts { checksum, filename: None, last_modified: date })]
        }
        _ => Vec::new(),
    }
}

/// Gives steps lines of a Dockerfile.
pub(crate) fn with_dockerfile(mut build: Build, text: &str, lines: &[(usize, usize)]) -> Build {
    let source =
        SourceText { filename: "Dockerfile".into(), language: "Dockerfile".into(), text: text.into() };
    build.sources = vec![source];
    for (step, line) in lines {
        build.locations[*step].push(Location { source: 0, first_line: *line, last_line: *line });
    }
    build
}
