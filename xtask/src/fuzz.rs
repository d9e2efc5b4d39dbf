//! `cargo xtask fuzz`: runs a fuzz target for some seconds, and reports the result.
//!
//! New inputs go to a folder below `fuzz/target`, never into the committed corpus.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command::{cargo, root};

/// The longest that an input may take, in seconds; a slower one is a finding.
const LONGEST: u32 = 25;

/// The length in bytes that inputs may at least grow to. Without this limit libFuzzer makes no input longer than the
/// longest of the corpus, and some corpora are short.
const LEAST_LENGTH: u64 = 1024;

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
#[command(after_help = "Example: cargo xtask fuzz add_script --seconds 900")]
pub(crate) struct Fuzz {
    /// The target; without one they are listed
    target: Option<String>,
    /// How long it runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

/// The result of a run.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    executions: u64,
    /// Edges of the control flow that were reached, and libFuzzer's finer count of features.
    coverage: u64,
    features: u64,
    /// The inputs that reached new code, and their size.
    corpus: String,
    /// The file with the input that broke a law.
    finding: Option<String>,
}

impl Fuzz {
    /// Runs the target; true when there was no finding.
    pub(crate) fn run(&self) -> Result<bool> {
        let fuzz = root().join("fuzz");
        let targets = targets(&fuzz)?;
        let Some(target) = &self.target else {
            targets.iter().for_each(|target| println!("{target}"));
            return Ok(true);
        };
        if !targets.contains(target) {
            bail!("there is no fuzz target {target}; there are {}", targets.join(", "));
        }
        let has_cargo_fuzz =
            cargo().args(["fuzz", "--version"]).output().is_ok_and(|out| out.status.success());
        if !has_cargo_fuzz {
            bail!("cargo-fuzz is missing: cargo install --locked cargo-fuzz");
        }
        let (succeeded, outcome) = self.fuzz(&fuzz, target)?;
        println!(
            "{target}: {} executions in {} s, coverage {}, features {}, corpus {}",
            outcome.executions, self.seconds, outcome.coverage, outcome.features, outcome.corpus
        );
        match outcome.finding {
            Some(path) => {
                println!("{target}: a law is broken by {path}");
                println!("replay it: RUSTC_BOOTSTRAP=1 cargo fuzz run {target} {path}");
                Ok(false)
            }
            None if succeeded => {
                println!("{target}: no finding");
                Ok(true)
            }
            None => bail!("the fuzzer did not run to its end"),
        }
    }

    /// Whether cargo-fuzz succeeded, and the result that it printed.
    fn fuzz(&self, fuzz: &Path, target: &str) -> Result<(bool, Outcome)> {
        // libFuzzer writes new inputs to the first folder only.
        let found = fuzz.join("target/corpus").join(target);
        fs::create_dir_all(&found).with_context(|| format!("cannot make {}", found.display()))?;
        let corpus = fuzz.join("corpus").join(target);
        let length = longest(&corpus)?.max(LEAST_LENGTH);
        let mut fuzzer = cargo()
            .current_dir(fuzz)
            .env("RUSTC_BOOTSTRAP", "1")
            .args(["fuzz", "run", target])
            .args([found, corpus])
            .arg("--")
            .arg(format!("-max_total_time={}", self.seconds))
            .arg(format!("-max_len={length}"))
            .arg(format!("-timeout={LONGEST}"))
            .arg("-print_final_stats=1")
            .stderr(Stdio::piped())
            .spawn()
            .context("cannot run cargo fuzz")?;
        let mut outcome = Outcome::default();
        // The message of a panic may hold any bytes, so a line need not be UTF-8.
        let mut said = BufReader::new(fuzzer.stderr.take().context("the fuzzer has no output")?);
        let mut line = Vec::new();
        while said.read_until(b'\n', &mut line).context("cannot read the fuzzer's output")? > 0 {
            let text = String::from_utf8_lossy(&line);
            eprint!("{text}");
            outcome.note(&text);
            line.clear();
        }
        let status = fuzzer.wait().context("cannot wait for the fuzzer")?;
        Ok((status.success(), outcome))
    }
}

impl Outcome {
    /// Reads one line of libFuzzer's output.
    fn note(&mut self, line: &str) {
        if let Some((_, path)) = line.split_once("Test unit written to ") {
            self.finding = Some(path.trim().to_owned());
        }
        if let Some(count) = line.strip_prefix("stat::number_of_executed_units:") {
            self.executions = count.trim().parse().unwrap_or(self.executions);
        }
        if !line.starts_with('#') {
            return;
        }
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |name: &str| {
            let at = words.iter().position(|word| *word == name)?;
            words.get(at + 1).copied()
        };
        let number = |name: &str| after(name).and_then(|word| word.parse().ok());
        self.coverage = number("cov:").unwrap_or(self.coverage);
        self.features = number("ft:").unwrap_or(self.features);
        if let Some(corpus) = after("corp:") {
            self.corpus = corpus.to_owned();
        }
        let executed = words.first().and_then(|word| word.trim_start_matches('#').parse().ok());
        self.executions = self.executions.max(executed.unwrap_or(0));
    }
}

/// The length, in bytes, of the longest file in a folder.
fn longest(folder: &Path) -> Result<u64> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    Ok(entries.flatten().filter_map(|entry| entry.metadata().ok()).map(|file| file.len()).max().unwrap_or(0))
}

/// The names of the targets, sorted.
fn targets(fuzz: &Path) -> Result<Vec<String>> {
    let folder = fuzz.join("fuzz_targets");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    let stems =
        paths.iter().filter_map(|path| path.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
    let mut targets: Vec<String> = stems.collect();
    targets.sort();
    Ok(targets)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(lines: &[&str]) -> Outcome {
        let mut outcome = Outcome::default();
        lines.iter().for_each(|line| outcome.note(line));
        outcome
    }

    #[test]
    fn the_last_line_of_each_kind_counts() {
        let lines = [
            "INFO: seed corpus: files: 3 min: 1b max: 9b total: 12b rss: 40Mb\n",
            "#4\tINITED cov: 111 ft: 112 corp: 3/12b exec/s: 0 rss: 41Mb\n",
            "#2048\tpulse  cov: 120 ft: 250 corp: 17/400b lim: 21 exec/s: 1024 rss: 44Mb\n",
            "#4097\tDONE   cov: 121 ft: 260 corp: 18/410b lim: 21 exec/s: 2000 rss: 44Mb\n",
            "stat::number_of_executed_units: 4097\n",
        ];
        let expected = Outcome {
            executions: 4097,
            coverage: 121,
            features: 260,
            corpus: "18/410b".to_owned(),
            finding: None,
        };
        assert_eq!(outcome(&lines), expected);
    }

    #[test]
    fn a_finding_is_reported_by_its_path() {
        let lines = [
            "#77\tNEW    cov: 5 ft: 6 corp: 1/1b exec/s: 0 rss: 1Mb\n",
            "artifact_prefix='/x/'; Test unit written to /x/crash-da39a3\n",
        ];
        let found = outcome(&lines);
        assert_eq!(found.finding.as_deref(), Some("/x/crash-da39a3"));
        assert_eq!((found.executions, found.coverage), (77, 5));
    }
}
