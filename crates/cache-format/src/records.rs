//! Records as JSON lines, by which a tool in any language describes a build's records: one call of `add` a line.
//!
//! The format is this project's own, and `records.schema.json` in this crate's folder describes it. Reading is strict: an
//! unknown member is an error, since ignoring a misspelt member would silently lose a part of a cache.

use cache_model::{Descriptor, RecordDigest, Timestamp};
use serde::Deserializer;
use serde::de::Error as _;

use crate::FormatError;
use crate::json::read::{self, List, Object, members, string};
use crate::manifest::descriptor::{Descriptors, Strictness};

/// The JSON schema (draft 2020-12) of a line.
pub const RECORDS_SCHEMA: &str = include_str!("../records.schema.json");

/// One record: the arguments of one call of `add`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordLine {
    /// The digest of the record.
    pub digest: RecordDigest,
    /// The inputs, each a list of links to its alternative sources.
    pub inputs: Vec<Vec<RecordLink>>,
    /// The results.
    pub results: Vec<RecordResult>,
}

/// A link of an input to a source record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordLink {
    /// The position of the source's line, from 0. It should be an earlier line, which is not checked here.
    pub record: usize,
    /// The selector; often empty.
    pub selector: String,
}

/// A result of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecordResult {
    /// When the result was made.
    pub created_at: Timestamp,
    /// The layers, lowest first.
    pub layers: Vec<Descriptor>,
}

/// Reads one line: an object with `digest`, and optionally `inputs` and `results`.
///
/// The members `outcome` and `error` are free for notes on the outcome of adding the record, and are ignored. `inputs`,
/// `results`, an input and a result's `layers` may be null for empty.
///
/// # Errors
///
/// Anything but a JSON object, such as an empty line; a missing required member; an unknown member; a member of the
/// wrong type; a malformed blob digest or time; a negative size or position.
///
/// ```
/// let line = br#"{"digest":"sha256:run","inputs":[[{"record":0,"selector":"/src"}]]}"#;
/// let record = cache_format::decode_record_line(line)?;
/// assert_eq!(record.inputs.first().and_then(|links| links.first()).map(|link| link.record), Some(0));
/// assert_eq!(
///     cache_format::decode_record_line(br#"{"digest":"sha256:run","input":[]}"#).unwrap_err().to_string(),
///     "record line: unknown member \"input\"; known are digest, inputs, results, outcome, error (column 30)",
/// );
/// # Ok::<(), cache_format::FormatError>(())
/// ```
pub fn decode_record_line(line: &[u8]) -> Result<RecordLine, FormatError> {
    read::document(read::RECORD_LINE, line, |json, _| {
        let mut members = LineMembers { digest: None, inputs: Vec::new(), results: Vec::new() };
        if !read::object(json, &mut members)? {
            return Err(serde_json::Error::custom("a record is an object, not null"));
        }
        let digest = members.digest.ok_or_else(|| serde_json::Error::custom("digest is missing"))?;
        Ok(RecordLine { digest, inputs: members.inputs, results: members.results })
    })
}

struct LineMembers {
    digest: Option<RecordDigest>,
    inputs: Vec<Vec<RecordLink>>,
    results: Vec<RecordResult>,
}

impl<'de> Object<'de> for LineMembers {
    const WHAT: &'static str = "a record (an object)";
    fn is_strict(&self) -> bool {
        true
    }

    members! { |self, value, key|
        "digest" => self.digest = read::text(value, key)?.map(|text| RecordDigest::new(&text)),
        "inputs" => read::list(value, &mut Inputs(&mut self.inputs))?,
        "results" => read::list(value, &mut Results(&mut self.results))?,
        "outcome" => drop(read::skip(value)?),
        "error" => drop(read::skip(value)?),
    }
}

struct Inputs<'r>(&'r mut Vec<Vec<RecordLink>>);

impl<'de> List<'de> for Inputs<'_> {
    const WHAT: &'static str = "a list of inputs";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        let mut links = Vec::new();
        read::list(value, &mut Links(&mut links))?;
        self.0.push(links);
        Ok(())
    }
}

struct Links<'r>(&'r mut Vec<RecordLink>);

impl<'de> List<'de> for Links<'_> {
    const WHAT: &'static str = "an input (a list of links)";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        let mut link = LinkMembers { record: None, selector: String::new() };
        read::object(value, &mut link)?;
        let record = link.record.ok_or_else(|| D::Error::custom("link: record is missing"))?;
        self.0.push(RecordLink { record, selector: link.selector });
        Ok(())
    }
}

struct LinkMembers {
    record: Option<usize>,
    selector: String,
}

impl<'de> Object<'de> for LinkMembers {
    const WHAT: &'static str = "a link (an object)";
    fn is_strict(&self) -> bool {
        true
    }

    members! { |self, value, key|
        "record" => self.record = read::number(value, key)?,
        "selector" => self.selector = string(value, key)?,
    }
}

struct Results<'r>(&'r mut Vec<RecordResult>);

impl<'de> List<'de> for Results<'_> {
    const WHAT: &'static str = "a list of results";

    fn item<D: Deserializer<'de>>(&mut self, value: D) -> Result<(), D::Error> {
        let mut result = ResultMembers { created_at: None, layers: None };
        read::object(value, &mut result)?;
        let missing = |name: &str| D::Error::custom(format_args!("result: {name} is missing"));
        self.0.push(RecordResult {
            created_at: result.created_at.ok_or_else(|| missing("createdAt"))?,
            layers: result.layers.ok_or_else(|| missing("layers"))?,
        });
        Ok(())
    }
}

struct ResultMembers {
    created_at: Option<Timestamp>,
    layers: Option<Vec<Descriptor>>,
}

impl<'de> Object<'de> for ResultMembers {
    const WHAT: &'static str = "a result (an object)";
    fn is_strict(&self) -> bool {
        true
    }

    members! { |self, value, key|
        "createdAt" => self.created_at = read::parsed(value, key, str::parse)?,
        "layers" => {
            let mut layers =
                Descriptors { found: Vec::new(), strictness: Strictness::Records, entry: None };
            read::list(value, &mut layers)?;
            self.layers = Some(layers.found);
        }
    }
}
