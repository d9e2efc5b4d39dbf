//! `cargo xtask bench why`: how long it takes to name the records of a large build and to find the causes of its misses, to
//! check the content of layers beside verifying them, and to read a context of many files, against limits.
//!
//! Every measurement is a process of its own. The input is made outside of the measured time.

mod cache;
mod content;
mod context;
mod large;
mod record;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use self::content::LAYERS;
use crate::figures::{Limit, mebibytes, millis, verdicts};
use crate::machine::{folder_in, settle};
use crate::process::{Ran, bkcache, measure, own_folder, run_self, words};

/// The most time for names and causes without layers.
const MOST_EXPLAIN: Duration = Duration::from_millis(50);
/// The most time of `verify --content`, as a multiple of that of `verify`.
const MOST_CONTENT: f64 = 1.25;
/// The most time of reading a context, as a multiple of that of reading and hashing the files with nothing else.
const MOST_CONTEXT: f64 = 1.25;
/// The most memory of a program that reads layers, in MiB.
const MOST_MEMORY: f64 = 64.0;

/// Options of `cargo xtask bench why`.
#[derive(Args)]
pub(crate) struct Why {
    /// How often each is run; the best time counts
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    repeat: u32,
    /// A folder on the disk for the input, by default where this program was built. It takes up to 2 GB while it runs
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// What is measured in this process; the result is a line of JSON
    #[arg(long, hide = true)]
    work: Option<Work>,
}

/// What is measured in a process of this program.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum Work {
    /// Naming records and finding causes
    Explain,
    /// Reading a context
    Context,
}

impl Why {
    pub(crate) fn run(&self) -> Result<()> {
        match (self.work, &self.folder) {
            (Some(Work::Explain), _) => println!("{}", large::measure(self.repeat)?),
            (Some(Work::Context), Some(folder)) => println!("{}", context::measure(folder)?),
            (Some(Work::Context), None) => bail!("no folder is given"),
            (None, _) => return self.run_all(),
        }
        Ok(())
    }

    fn run_all(&self) -> Result<()> {
        let near = match &self.folder {
            Some(folder) => folder.clone(),
            None => own_folder()?,
        };
        let mut limits = self.explain()?;
        let folder = folder_in(&near, "bench-why-")?;
        limits.extend(self.context(&folder.path().join("files"))?);
        limits.extend(self.content(&folder.path().join("layers"))?);
        print!("\n{}", verdicts(&limits));
        if limits.iter().all(|(is_met, _)| *is_met) { Ok(()) } else { bail!("over the limits") }
    }

    fn explain(&self) -> Result<Vec<Limit>> {
        let repeat = self.repeat.to_string();
        let value = parse(&run_self(&words(&["why", "--work", "explain", "--repeat", &repeat]))?)?;
        let [time, records, named, causes, peak] =
            ["time_ns", "records", "named", "causes", "peak_bytes"].map(|key| number(&value, key));
        let (time, records, named) = (Duration::from_nanos(time?), records?, named?);
        let line = format!(
            "names and causes of {records} records ({named} named, {} causes): {:.1} ms and {:.0} MiB; at most {:.0} ms",
            causes?,
            millis(time),
            mebibytes(peak?),
            millis(MOST_EXPLAIN)
        );
        println!("{line}");
        Ok(vec![(time <= MOST_EXPLAIN && named == records, line)])
    }

    fn context(&self, folder: &std::path::Path) -> Result<Vec<Limit>> {
        context::make(folder)?;
        let path = folder.display().to_string();
        let (mut best, mut limit, mut peak, mut files) = (Duration::MAX, Duration::MAX, 0, 0);
        for _ in 0..self.repeat {
            limit = limit.min(context::limit(folder)?);
            let value = parse(&run_self(&words(&["why", "--work", "context", "--folder", &path]))?)?;
            best = best.min(Duration::from_nanos(number(&value, "time_ns")?));
            peak = peak.max(number(&value, "peak_bytes")?);
            files = number(&value, "files")?;
        }
        let times = best.as_secs_f64() / limit.as_secs_f64();
        let line = format!(
            "a context of {files} files: {:.0} ms and {:.0} MiB, {times:.2} times as long as reading and hashing them ({:.0} ms); \
             at most {MOST_CONTEXT} times and {MOST_MEMORY} MiB",
            millis(best),
            mebibytes(peak),
            millis(limit)
        );
        println!("{line}");
        Ok(vec![(times <= MOST_CONTEXT && mebibytes(peak) <= MOST_MEMORY, line)])
    }

    fn content(&self, folder: &std::path::Path) -> Result<Vec<Limit>> {
        let program = bkcache()?.display().to_string();
        let case = content::make(folder)?;
        let [layout, context, record] =
            [&case.layout, &case.context, &case.record].map(|path| path.display().to_string());
        let plain = words(&[&program, "verify", "--quiet", &layout]);
        let backward = words(&[&program, "verify", "--quiet", "--content", "--record", &record, &layout]);
        let forward = words(&[
            &program,
            "verify",
            "--quiet",
            "--content",
            "--record",
            &record,
            "--context",
            &context,
            &layout,
        ]);
        let mut runs: [Option<Ran>; 3] = [None, None, None];
        for _ in 0..self.repeat {
            for (best, command) in runs.iter_mut().zip([&plain, &backward, &forward]) {
                settle(case.bytes)?;
                let ran = measure(command)?;
                if best.as_ref().is_none_or(|best| ran.time < best.time) {
                    *best = Some(ran);
                }
            }
        }
        let [Some(plain), Some(backward), Some(forward)] = runs else { bail!("nothing was run") };
        let megabytes = case.bytes as f64 / LAYERS as f64 / 1e6;
        println!("verify of {LAYERS} layers of {megabytes:.0} MB: {:.0} ms", millis(plain.time));
        let mut limits = Vec::new();
        for (name, ran, is_held) in
            [("verify --content", backward, true), ("verify --content --context", forward, false)]
        {
            let times = ran.time.as_secs_f64() / plain.time.as_secs_f64();
            let peak = ran.used.peak.map(mebibytes).unwrap_or_default();
            let line =
                format!("{name}: {:.0} ms and {peak:.0} MiB, {times:.2} times verify", millis(ran.time));
            println!("{line}");
            if is_held {
                limits.push((
                    times <= MOST_CONTENT && peak <= MOST_MEMORY,
                    format!("{line}; at most {MOST_CONTENT} times and {MOST_MEMORY} MiB"),
                ));
            }
        }
        Ok(limits)
    }
}

fn parse(line: &str) -> Result<Value> {
    serde_json::from_str(line).context("the measuring process printed something else")
}

fn number(value: &Value, key: &str) -> Result<u64> {
    value.get(key).and_then(Value::as_u64).with_context(|| format!("no {key}"))
}
