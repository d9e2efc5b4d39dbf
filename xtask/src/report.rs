//! Prints what a check has found.

/// Prints a line for each finding; true when there is none.
pub(crate) fn report(task: &str, findings: &[String]) -> bool {
    for finding in findings {
        eprintln!("{task}: {finding}");
    }
    findings.is_empty()
}
