//! What changed in a Dockerfile after the record of its build was written.
//!
//! It is for builds that are still to be made: the record tells their steps as they were.

use cache_explain::{BuildInputs, edited_steps};
use cache_model::count;

use crate::inputs::{Builds, MAIN_CONTEXT};

/// Leaves open the steps whose instructions changed in the Dockerfile that lies in the builds' folder. Gives a line for the user
/// for each Dockerfile that changed.
pub(crate) fn note_edits(inputs: &mut [BuildInputs<'_>], builds: &Builds) -> Vec<String> {
    let Some(folder) = builds.folders.get(MAIN_CONTEXT) else { return Vec::new() };
    let mut notes = Vec::new();
    for inputs in inputs {
        let build = inputs.build;
        for (position, source) in build.sources.iter().enumerate() {
            let path = folder.join(&source.filename);
            let is_dockerfile = source.language.eq_ignore_ascii_case("Dockerfile");
            let Some(now) = is_dockerfile.then(|| std::fs::read_to_string(&path).ok()).flatten() else {
                continue;
            };
            if now == source.text {
                continue;
            }
            let edited = edited_steps(build, position, &now);
            notes.push(format!(
                "{} changed after the record was written: {} changed with it, and what was added is not known",
                path.display(),
                count(edited.len() as u64, "step"),
            ));
            inputs.edited.extend(edited);
        }
    }
    notes.dedup();
    notes
}
