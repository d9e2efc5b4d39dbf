//! The answer as JSON.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::{PredictedCache, PredictedOutcome, PredictedStep, Prediction};

/// Writes the answer as one JSON object. Steps are in the order of the build.
pub(crate) fn write_json(out: &mut dyn Write, prediction: &Prediction) -> io::Result<()> {
    let value = json!({
        "caches": prediction.caches.iter().map(cache).collect::<Vec<_>>(),
        "steps": prediction.steps.iter().map(step).collect::<Vec<_>>(),
        "hit": prediction.count(PredictedOutcome::Hit),
        "miss": prediction.count(PredictedOutcome::Miss),
        "unknown": prediction.count(PredictedOutcome::Unknown),
        "hints": prediction.hints,
    });
    serde_json::to_writer_pretty(&mut *out, &value)?;
    writeln!(out)
}

fn cache(cache: &PredictedCache) -> Value {
    json!({"place": cache.place, "manifest": cache.manifest})
}

fn step(step: &PredictedStep) -> Value {
    let mut value = json!({
        "step": format!("step{}", step.step),
        "line": step.line,
        "instruction": step.instruction,
        "outcome": step.outcome.as_str(),
        "reason": step.reason,
    });
    if let (Some(platform), Some(object)) = (&step.platform, value.as_object_mut()) {
        object.insert("platform".to_owned(), json!(platform));
    }
    value
}
