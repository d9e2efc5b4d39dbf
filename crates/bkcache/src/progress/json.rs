//! Progress as JSON: an object for each event.
//!
//! The events are described in `docs/progress.md`.

use std::time::Duration;

use cache_ingest::{Event, Progress};
use serde_json::{Value, json};

use crate::messages::{message_event, print};

/// A JSON object for each event.
pub(crate) struct JsonProgress;

impl Progress for JsonProgress {
    fn event(&self, event: &Event<'_>) {
        if let Some(value) = to_json(event) {
            print(&value.to_string());
        }
    }
}

fn to_json(event: &Event<'_>) -> Option<Value> {
    Some(match event {
        Event::Planned { blobs, bytes } => json!({"event": "planned", "blobs": blobs, "bytes": bytes}),
        Event::Started { step, descriptor } => json!({
            "event": "started", "step": step.to_string(),
            "digest": descriptor.digest.to_string(), "size": descriptor.size,
        }),
        Event::Rehashing { descriptor } => json!({
            "event": "rehashing", "digest": descriptor.digest.to_string(), "size": descriptor.size,
        }),
        Event::Resumed { descriptor, bytes } => json!({
            "event": "resumed", "digest": descriptor.digest.to_string(), "bytes": bytes,
        }),
        Event::Transferred { descriptor, bytes } => json!({
            "event": "transferred", "digest": descriptor.digest.to_string(), "bytes": bytes,
        }),
        Event::ReadingFiles { folder, files, bytes } => json!({
            "event": "reading-files", "folder": folder, "files": files, "bytes": bytes,
        }),
        Event::FilesRead { files, bytes } => {
            json!({"event": "files-read", "files": files, "bytes": bytes})
        }
        Event::Importing { what, from } => json!({"event": "importing", "what": what, "from": from}),
        Event::Retrying { restarted: Some(descriptor), attempt, error, .. } => json!({
            "event": "retrying", "digest": descriptor.digest.to_string(),
            "attempt": attempt, "error": error.to_string(),
        }),
        Event::Retrying { restarted: None, request, attempt, wait, error } => json!({
            "event": "repeating", "request": request, "attempt": attempt,
            "waitMs": milliseconds(*wait), "error": error.to_string(),
        }),
        Event::Waiting { host, request, silent } => json!({
            "event": "waiting", "host": host, "request": request, "silentMs": milliseconds(*silent),
        }),
        Event::Finished { step, descriptor, stored } => json!({
            "event": "finished", "step": step.to_string(), "digest": descriptor.digest.to_string(),
            "size": descriptor.size, "outcome": step.outcome(*stored),
        }),
        Event::Failed { step, descriptor, error } => json!({
            "event": "failed", "step": step.to_string(), "digest": descriptor.digest.to_string(),
            "size": descriptor.size, "error": error.to_string(),
        }),
        Event::Warning { message } => message_event("warning", message),
        _ => return None,
    })
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
