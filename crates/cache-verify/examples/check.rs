//! Prints the findings about the cache in a folder: `check FOLDER`.
//!
//! It reads every blob. The exit code is 1 if the cache is damaged.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::process::ExitCode;

use cache_ingest::{Job, LayoutOptions, LayoutStore, Name};
use cache_verify::{VerifyOptions, verify};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<ExitCode, Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("give the folder of a cache")?;
    let store = LayoutStore::open(folder, LayoutOptions::default()).await?;
    let report = verify(&store, &Name::Unspecified, &VerifyOptions::default(), &Job::default()).await?;
    for finding in &report.findings {
        println!("{} {}: {finding}", finding.severity(), finding.kind.code());
    }
    println!("{} blobs, {} records", report.blobs, report.records);
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
