//! Which registries take which form of a cache.
//!
//! docs/registries.md has the sources of these facts; a test compares it with them.

use cache_format::Form;
use cache_report::text::size;
use cache_verify::Report;

use super::numbers::Numbers;
use super::point::{Mark, Point, Topic};
use crate::cli::SourceArgs;
use crate::mending;

/// The registries that want images in an index, and refuse the layers of a cache there.
const REFUSE_AN_INDEX: &str = "Amazon ECR, Google GCR, Quay, Artifactory and Harbor";
/// The largest config of an image that skopeo copies, in bytes.
const SKOPEO_LIMIT: u64 = 4 << 20;

/// Which registries take the form of a cache; `None` if the form is not known.
pub(super) fn point(report: &Report, numbers: Option<&Numbers>, source: &SourceArgs) -> Option<Point> {
    let warning = |text: String, command: String| Point {
        topic: Topic::Registries,
        mark: Mark::Warning,
        text,
        kinds: Vec::new(),
        command: Some(command),
    };
    Some(match report.form? {
        form @ (Form::Index | Form::DockerList) => warning(
            format!("{REFUSE_AN_INDEX} refuse the form {}", form.name()),
            mending::copy_as(Form::Manifest.name(), source),
        ),
        Form::Manifest => Point::fine(Topic::Registries, "all known ones take the form manifest".to_owned()),
        _ => match numbers.map(|numbers| numbers.config).filter(|config| *config > SKOPEO_LIMIT) {
            Some(config) => warning(
                format!(
                    "all take an image, but skopeo copies none with a config of {} (at most {})",
                    size(config),
                    size(SKOPEO_LIMIT)
                ),
                mending::prune_to_fit(report, source),
            ),
            None => Point::fine(Topic::Registries, "all take an image".to_owned()),
        },
    })
}
