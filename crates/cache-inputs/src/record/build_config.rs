//! The steps of a build and what is known of them, the same in both versions of the predicate.

use std::collections::{BTreeMap, HashMap};

use cache_explain::{Build, Location, ResolvedDependency, SourceText};
use cache_keys::{Definition, Op, Step, StepOutput};
use cache_model::{Annotations, Descriptor, Digest, MediaType, Platform};
use data_encoding::BASE64;
use serde::Deserialize;
use serde_json::Value;

use crate::record::RecordError;
use crate::record::members::Numbers;
use crate::record::op::{op, platform};

const EXCLUDE_PATTERNS: &str = "local.excludepatterns";

/// A list that Go may write as `null`.
type List<T> = Option<Vec<T>>;

/// A map that Go may write as `null`.
type Table<T> = Option<BTreeMap<String, T>>;

/// The steps, and which step each vertex of a status log is.
#[derive(Deserialize)]
pub(crate) struct BuildConfig {
    #[serde(rename = "llbDefinition")]
    steps: List<StepText>,
    #[serde(rename = "digestMapping")]
    vertices: Table<String>,
}

#[derive(Deserialize)]
struct StepText {
    id: String,
    #[serde(default)]
    op: OpText,
    inputs: List<String>,
}

#[derive(Default, Deserialize)]
struct OpText {
    #[serde(rename = "Op", default)]
    op: Value,
    platform: Option<Value>,
}

/// What BuildKit adds to the metadata of a predicate.
#[derive(Default, Deserialize)]
pub(crate) struct BuildMetadata {
    source: Option<SourceInfo>,
    layers: Table<Vec<List<LayerText>>>,
}

#[derive(Default, Deserialize)]
struct SourceInfo {
    locations: Table<StepLocations>,
    infos: List<SourceFile>,
}

#[derive(Deserialize)]
struct StepLocations {
    locations: List<LocationText>,
}

#[derive(Deserialize)]
struct LocationText {
    #[serde(rename = "sourceIndex", default)]
    source: usize,
    ranges: List<RangeText>,
}

#[derive(Deserialize)]
struct RangeText {
    #[serde(default)]
    start: PositionText,
    #[serde(default)]
    end: PositionText,
}

#[derive(Default, Deserialize)]
struct PositionText {
    #[serde(default)]
    line: usize,
}

#[derive(Deserialize)]
struct SourceFile {
    #[serde(default)]
    filename: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    data: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct LayerText {
    media_type: String,
    digest: String,
    size: u64,
    annotations: Table<String>,
}

/// Something that a source resolved to.
#[derive(Deserialize)]
pub(crate) struct DependencyText {
    #[serde(default)]
    uri: String,
    digest: Table<String>,
}

impl BuildConfig {
    /// The build. `builder` is the builder's platform.
    pub(crate) fn build(
        self,
        builder: &str,
        metadata: BuildMetadata,
        numbers: Numbers,
    ) -> Result<Build, RecordError> {
        let steps = self.steps.filter(|steps| !steps.is_empty()).ok_or(RecordError::NoSteps)?;
        let builder: Platform = builder
            .parse()
            .map_err(|error| RecordError::damaged(format!("the platform of the builder: {error}")))?;
        let ids = StepIds::of(&steps)?;
        let mut build = Build::new(definition(steps, &ids, numbers)?, builder);
        build.excluded = excluded(&build.definition)?;
        for (vertex, step) in self.vertices.into_iter().flatten() {
            if let (Ok(vertex), Ok(step)) = (vertex.parse(), ids.step(&step)) {
                build.vertices.insert(vertex, step);
            }
        }
        let source = metadata.source.unwrap_or_default();
        build.sources = source.infos.into_iter().flatten().map(SourceFile::read).collect::<Result<_, _>>()?;
        for (step, locations) in source.locations.into_iter().flatten() {
            if let Some(list) = ids.step(&step).ok().and_then(|step| build.locations.get_mut(step)) {
                list.extend(locations.locations.into_iter().flatten().filter_map(LocationText::read));
            }
        }
        for (output, lists) in metadata.layers.into_iter().flatten() {
            let layers = |list: List<LayerText>| list.into_iter().flatten().map(LayerText::read).collect();
            build
                .layers
                .insert(ids.output(&output)?, lists.into_iter().map(layers).collect::<Result<_, _>>()?);
        }
        Ok(build)
    }
}

/// The positions of steps by their ids.
struct StepIds(HashMap<String, usize>);

impl StepIds {
    fn of(steps: &[StepText]) -> Result<Self, RecordError> {
        let mut ids = HashMap::with_capacity(steps.len());
        for (position, step) in steps.iter().enumerate() {
            if ids.insert(step.id.clone(), position).is_some() {
                return Err(RecordError::damaged(format!("two steps have the id {:?}", step.id)));
            }
        }
        Ok(Self(ids))
    }

    fn step(&self, id: &str) -> Result<usize, RecordError> {
        let step = self.0.get(id).copied();
        step.ok_or_else(|| RecordError::damaged(format!("there is no step with the id {id:?}")))
    }

    /// `step3:0`
    fn output(&self, text: &str) -> Result<StepOutput, RecordError> {
        let (id, output) = text.rsplit_once(':').unwrap_or((text, ""));
        let output = output.parse().map_err(|_| {
            RecordError::damaged(format!("{text:?} should be a step and its output, as step1:0"))
        })?;
        Ok(StepOutput { step: self.step(id)?, output })
    }
}

fn definition(steps: Vec<StepText>, ids: &StepIds, numbers: Numbers) -> Result<Definition, RecordError> {
    let count = steps.len();
    let steps = steps.into_iter().enumerate().map(|(position, text)| {
        let inputs = text.inputs.into_iter().flatten().map(|input| ids.output(&input));
        let inputs = inputs.collect::<Result<Vec<_>, _>>()?;
        let is_last = position + 1 == count;
        let (op, platform) = match text.op.platform.as_ref().map(platform).transpose() {
            Ok(platform) => (op(&text.op.op, is_last, numbers), platform),
            Err(fault) => (Op::Unknown(fault.within("platform").into()), None),
        };
        Ok(Step { op, platform, inputs })
    });
    Ok(Definition::new(steps.collect::<Result<_, RecordError>>()?)?)
}

/// The patterns of ignore files, by the step that is the folder.
fn excluded(definition: &Definition) -> Result<BTreeMap<usize, Vec<String>>, RecordError> {
    let mut excluded = BTreeMap::new();
    for (position, step) in definition.steps().iter().enumerate() {
        let Op::Source(source) = &step.op else { continue };
        if let Some(patterns) = source.attributes.get(EXCLUDE_PATTERNS) {
            let patterns = serde_json::from_str(patterns).map_err(|error| {
                RecordError::damaged(format!("the attribute {EXCLUDE_PATTERNS} of step {position}: {error}"))
            })?;
            excluded.insert(position, patterns);
        }
    }
    Ok(excluded)
}

impl LocationText {
    /// The lines of an instruction. A heredoc has a range for each of its lines.
    fn read(self) -> Option<Location> {
        let ranges = || self.ranges.iter().flatten();
        let first_line = ranges().map(|range| range.start.line).min()?;
        let last_line = ranges().map(|range| range.end.line).max()?;
        Some(Location { source: self.source, first_line, last_line: last_line.max(first_line) })
    }
}

impl SourceFile {
    fn read(self) -> Result<SourceText, RecordError> {
        let text = BASE64.decode(self.data.as_bytes()).map_err(|error| {
            RecordError::damaged(format!("the text of {:?} is not base64: {error}", self.filename))
        })?;
        let text = String::from_utf8_lossy(&text).into_owned();
        Ok(SourceText { filename: self.filename, language: self.language, text })
    }
}

impl LayerText {
    fn read(self) -> Result<Descriptor, RecordError> {
        let digest: Digest =
            self.digest.parse().map_err(|error| RecordError::damaged(format!("a layer: {error}")))?;
        let mut descriptor = Descriptor::new(MediaType::from(self.media_type), digest, self.size);
        descriptor.annotations = self.annotations.into_iter().flatten().collect::<Annotations>();
        Ok(descriptor)
    }
}

impl From<DependencyText> for ResolvedDependency {
    fn from(text: DependencyText) -> Self {
        Self { uri: text.uri, digests: text.digest.unwrap_or_default() }
    }
}
