//! A point of a checkup: its topic, a mark, a sentence, and the command that mends it.

use anstyle::AnsiColor;
use cache_verify::{Finding, FindingKind, Place, Report, Severity};

use crate::cli::SourceArgs;
use crate::mending;

/// A point.
pub(super) struct Point {
    pub(super) topic: Topic,
    pub(super) mark: Mark,
    /// One line.
    pub(super) text: String,
    /// The kinds of the findings, as `verify --json` names them.
    pub(super) kinds: Vec<&'static str>,
    /// The command that mends it.
    pub(super) command: Option<String>,
}

/// How good a point is, from the best to the worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Mark {
    Ok,
    Warning,
    /// BuildKit does not import the cache, or builds from it fail.
    Error,
}

/// What a point is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Form,
    Config,
    Records,
    Blobs,
    Layers,
    History,
    Registries,
    Age,
    Size,
}

impl Point {
    /// A point of the findings about a topic; without findings, what is fine about it, if anything is to be said.
    pub(super) fn of(
        topic: Topic,
        report: &Report,
        source: &SourceArgs,
        fine: Option<String>,
    ) -> Option<Self> {
        let mut findings: Vec<&Finding> =
            report.findings.iter().filter(|finding| Topic::of(finding) == topic).collect();
        findings.sort_by_key(|finding| std::cmp::Reverse(Mark::of(finding)));
        let Some(worst) = findings.first() else { return fine.map(|text| Self::fine(topic, text)) };
        let mut text = worst.to_string();
        if findings.len() > 1 {
            text.push_str(&format!(" (and {} more)", findings.len() - 1));
        }
        let mut kinds: Vec<&str> = Vec::new();
        for kind in findings.iter().map(|finding| finding.kind.code()) {
            if !kinds.contains(&kind) {
                kinds.push(kind);
            }
        }
        let command = command(&findings, report, source);
        Some(Self { topic, mark: Mark::of(worst), text, kinds, command })
    }

    pub(super) fn fine(topic: Topic, text: String) -> Self {
        Self { topic, mark: Mark::Ok, text, kinds: Vec::new(), command: None }
    }
}

/// The command that mends what was found.
fn command(findings: &[&Finding], report: &Report, source: &SourceArgs) -> Option<String> {
    findings.iter().find_map(|finding| match finding.kind {
        FindingKind::AboveImportLimit { .. } => Some(mending::prune_to_fit(report, source)),
        FindingKind::HistoryTooShort { .. } => Some(mending::copy_as("manifest", source)),
        FindingKind::MissingBlob | FindingKind::ShortBlob { .. } | FindingKind::LongBlob { .. } => {
            mending::repair(report, source)
        }
        FindingKind::LayerListMismatch { .. }
        | FindingKind::LayerNotInConfig
        | FindingKind::DuplicateLayer { .. }
        | FindingKind::UnreachableLayer
        | FindingKind::DroppedResult { .. } => Some(mending::copy_canonically(source)),
        // An image has the diff ID of each layer in its config.
        FindingKind::DiffIdMissing => Some(mending::copy_as("inline", source)),
        FindingKind::DuplicateRecord { .. } => Some(mending::merge(source)),
        _ => None,
    })
}

impl Mark {
    fn of(finding: &Finding) -> Self {
        match (&finding.kind, finding.severity()) {
            // A warning of `verify`, as the cache is whole; but BuildKit ignores it.
            (FindingKind::AboveImportLimit { .. }, _) | (_, Severity::Error) => Self::Error,
            (_, Severity::Warning) => Self::Warning,
            _ => Self::Ok,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    pub(super) fn colour(self) -> AnsiColor {
        match self {
            Self::Ok => AnsiColor::Green,
            Self::Warning => AnsiColor::Yellow,
            Self::Error => AnsiColor::Red,
        }
    }
}

impl Topic {
    /// The topic of a finding. Errors about blobs and layers leave the rest of the cache usable, others do not.
    fn of(finding: &Finding) -> Self {
        use FindingKind as Kind;
        match (&finding.place, &finding.kind) {
            (_, Kind::HistoryTooShort { .. }) => Self::History,
            (_, Kind::GraphUnsound { .. } | Kind::GraphTangled { .. } | Kind::MergeTangled { .. })
            | (_, Kind::DuplicateRecord { .. } | Kind::RecordLeftOut) => Self::Records,
            (Place::Manifest { .. }, _) => Self::Form,
            (Place::Config { .. }, _) => Self::Config,
            (Place::Layer { .. }, Kind::MissingBlob | Kind::ShortBlob { .. } | Kind::LongBlob { .. })
            | (Place::Layer { .. }, Kind::UnreadableBlob { .. }) => Self::Blobs,
            _ => Self::Layers,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Config => "config",
            Self::Records => "records",
            Self::Blobs => "blobs",
            Self::Layers => "layers",
            Self::History => "history",
            Self::Registries => "registries",
            Self::Age => "age",
            Self::Size => "size",
        }
    }
}
