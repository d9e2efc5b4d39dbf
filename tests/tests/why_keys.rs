//! The keys that are computed from build records are those of BuildKit: every record of a step, the keys of images, and the links
//! between them.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails"
)]

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cache_explain::Build;
use cache_inputs::read_builds;
use cache_keys::{ImageSource, NoKey, Op, SourceKind, Step, StepOutput};
use cache_model::{CacheChains, Digest, RecordDigest, RecordRef};
use tests::why::WhyCase;

/// What a record may be: an output of a step of a build.
struct Candidate<'b> {
    build: &'b Build,
    step: usize,
}

/// The records of the steps of some builds, by digest. Sources are left out.
fn computed(builds: &[Build]) -> BTreeMap<RecordDigest, Vec<Candidate<'_>>> {
    let mut computed: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for build in builds {
        for (position, step) in build.definition.steps().iter().enumerate() {
            let key = match step.key(&build.platform) {
                Ok(key) => key,
                Err(reason) => {
                    assert!(matches!(reason, NoKey::Source | NoKey::End), "step {position}: {reason}");
                    continue;
                }
            };
            for output in build.definition.outputs(position) {
                let digest = RecordDigest::of_output(key.digest(), output);
                computed.entry(digest).or_default().push(Candidate { build, step: position });
            }
        }
    }
    computed
}

/// The records that an output has.
#[derive(Default)]
struct Records {
    known: Vec<RecordDigest>,
    /// How many more there are, whose digests cannot be computed.
    unknown: usize,
}

fn records_of(build: &Build, output: StepOutput, diff_ids: &HashMap<Digest, Digest>) -> Records {
    let step = &build.definition.steps()[output.step];
    match step.key(&build.platform) {
        Ok(key) => Records { known: vec![RecordDigest::of_output(key.digest(), output.output)], unknown: 0 },
        Err(NoKey::Source) => records_of_source(build, output, diff_ids),
        Err(reason) => panic!("{reason}"),
    }
}

/// The records of a source. The chain id of an image needs diff IDs, which the cache has of its layers.
fn records_of_source(build: &Build, output: StepOutput, diff_ids: &HashMap<Digest, Digest>) -> Records {
    let step = &build.definition.steps()[output.step];
    let Op::Source(source) = &step.op else { panic!("a source") };
    match source.kind() {
        SourceKind::Local(_) => Records::default(),
        SourceKind::Image(image) => {
            let platform = step.platform.as_ref().unwrap_or(&build.platform);
            let manifest = image.manifest_key(&image.digest().unwrap(), platform);
            let layers = build.layers.get(&output).and_then(|lists| lists.first());
            let ids = layers.map(|layers| layers.iter().map(|layer| diff_ids.get(&layer.digest).copied()));
            let chain = ids.and_then(|ids| ImageSource::layers_key(&ids.collect::<Option<Vec<_>>>()?));
            let keys = std::iter::once(manifest).chain(chain);
            Records {
                known: keys.map(|key| RecordDigest::of_output(key, 0)).collect(),
                unknown: usize::from(chain.is_none()),
            }
        }
        other => panic!("{other:?}"),
    }
}

fn diff_ids(chains: &CacheChains) -> HashMap<Digest, Digest> {
    let graph = chains.graph().unwrap();
    graph.blobs().filter_map(|layer| Some((layer.digest, layer.diff_id()?))).collect()
}

/// Whether the links of a record are exactly those of a step on a new builder.
fn has_links_of(
    record: RecordRef<'_>,
    candidate: &Candidate<'_>,
    diff_ids: &HashMap<Digest, Digest>,
) -> bool {
    let Candidate { build, step } = candidate;
    let step: &Step = &build.definition.steps()[*step];
    let deps = step.deps();
    assert_eq!(deps.len(), step.inputs.len());
    let mut slots = record.inputs().zip(&step.inputs).zip(deps);
    record.inputs_len() == step.inputs.len()
        && slots.all(|((links, input), dep)| {
            let selector = dep.selector.map(|selector| selector.to_string()).unwrap_or_default();
            let Records { known, unknown } = records_of(build, *input, diff_ids);
            let mut known: BTreeSet<_> = known.into_iter().collect();
            let (mut definitions, mut contents) = (0, 0);
            for link in links {
                if link.selector == selector && known.remove(link.source.digest()) {
                    continue;
                }
                // Contents and images are roots.
                if link.source.inputs_len() > 0 {
                    return false;
                }
                if link.selector == selector && definitions < unknown {
                    definitions += 1;
                } else if link.selector.is_empty() {
                    contents += 1;
                } else {
                    return false;
                }
            }
            known.is_empty() && definitions == unknown && contents == usize::from(dep.content.is_some())
        })
}

#[test]
fn every_record_of_a_step_has_the_digest_that_is_computed() {
    let (mut steps, mut older) = (0, 0);
    for case in WhyCase::all() {
        let builds = read_builds(&case.provenance()).unwrap();
        let mut computed = computed(&builds);
        let Some(truth) = case.truth["records"].as_array() else { continue };
        for record in truth.iter().filter(|record| record["kind"] == "step") {
            let digest = RecordDigest::new(record["digest"].as_str().unwrap());
            let names = record["names"].as_array().unwrap();
            let own = names.iter().filter(|name| name["of"].is_null());
            let lines: BTreeSet<_> = own.map(|name| name["line"].as_u64()).collect();
            if lines.is_empty() {
                older += 1;
                continue;
            }
            let candidates = computed.get(&digest).unwrap_or_else(|| panic!("{}: {record}", case.name));
            let found: BTreeSet<_> = candidates
                .iter()
                .map(|found| {
                    let lines =
                        found.build.locations[found.step].iter().map(|location| location.first_line as u64);
                    lines.min()
                })
                .collect();
            assert_eq!(found, lines, "{}: {record}", case.name);
            steps += 1;
        }
        for record in truth {
            computed.remove(&RecordDigest::new(record["digest"].as_str().unwrap()));
        }
        assert!(computed.is_empty(), "{}: a record of each step is in the cache", case.name);
    }
    assert_eq!((steps, older), (396, 1));
}

#[test]
fn every_slot_has_the_links_that_are_computed() {
    let (mut records, mut slots) = (0, 0);
    for case in WhyCase::all() {
        // Its slots have links to older variants, too.
        if case.name == "shared-new" {
            continue;
        }
        let builds = read_builds(&case.provenance()).unwrap();
        let chains = case.chains();
        let diff_ids = diff_ids(&chains);
        let computed = computed(&builds);
        let graph = chains.graph().unwrap();
        for record in graph.records() {
            let Some(candidates) = computed.get(record.digest()) else {
                assert_eq!(record.inputs_len(), 0, "{}: {record:?}", case.name);
                continue;
            };
            let fits = |candidate: &Candidate<'_>| has_links_of(record, candidate, &diff_ids);
            assert!(candidates.iter().any(fits), "{}: {record:?}", case.name);
            records += 1;
            slots += record.inputs_len();
        }
    }
    assert_eq!((records, slots), (432, 685));
}

#[test]
fn the_records_of_images_have_the_digests_that_are_computed() {
    let (mut computed, mut by_place) = (0, 0);
    for case in WhyCase::all() {
        let Some(truth) = case.truth["records"].as_array() else { continue };
        let diff_ids = diff_ids(&case.chains());
        let mut found = BTreeSet::new();
        for build in read_builds(&case.provenance()).unwrap() {
            let steps = build.definition.steps().iter().enumerate();
            for (step, _) in steps.filter(|(_, step)| matches!(step.op, Op::Source(_))) {
                found.extend(records_of_source(&build, StepOutput { step, output: 0 }, &diff_ids).known);
            }
        }
        for record in truth.iter().filter(|record| record["kind"] == "source") {
            if record["by_place"] == true {
                by_place += 1;
                continue;
            }
            let digest = RecordDigest::new(record["digest"].as_str().unwrap());
            assert!(found.contains(&digest), "{}: {record}", case.name);
            computed += 1;
        }
    }
    assert_eq!((computed, by_place), (83, 1));
}
