//! Names the records of a small build by its steps.
//!
//! The build and its cache are made here; `cache-inputs` reads those of real builds. It needs no argument.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::collections::HashMap;
use std::error::Error;

use cache_explain::{Build, BuildInputs, Cache, name_records};
use cache_keys::{Definition, ExecMeta, ExecOp, Mount, Op, Step, StepOutput};
use cache_model::{CacheChains, Link, Platform, RecordDigest};

/// `RUN` with a command, on a step.
fn run(command: &str, on: Option<usize>) -> Step {
    let root = Mount { input: on.map(|_| 0), output: Some(0), dest: "/".into(), ..Mount::default() };
    let args = ["/bin/sh", "-c", command].map(String::from).to_vec();
    let meta = ExecMeta { args, cwd: "/".into(), ..ExecMeta::default() };
    Step {
        op: Op::Exec(Box::new(ExecOp { meta, mounts: vec![root], ..ExecOp::default() })),
        platform: None,
        inputs: on.map(|step| StepOutput { step, output: 0 }).into_iter().collect(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let steps = vec![run("make", None), run("make install", Some(0))];
    let build = Build::new(Definition::new(steps)?, Platform::new("linux", "amd64"));

    // What a builder would export: a record for each step.
    let mut chains = CacheChains::new();
    let digest =
        |step: usize| build.key(step).map(|key| RecordDigest::of_output(key.digest(), 0)).ok_or("no key");
    let first = chains.add(&digest(0)?, &[], &[])?.ok_or("random")?;
    chains.add(&digest(1)?, &[&[Link::new(first, "")]], &[])?;

    let (graph, layers) = (chains.graph()?, HashMap::new());
    let names = name_records(&Cache::new(&graph, &layers), &[BuildInputs::new(&build)]);
    for record in graph.records() {
        for name in names.names(record.digest()) {
            println!("{}: {:?}, {:?}", record.digest(), name.meaning, name.found);
        }
    }
    Ok(())
}
