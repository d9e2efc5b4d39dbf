//! Lists what of a folder a build would send, after its `.dockerignore`: `context FOLDER`.
//!
//! It reads and hashes the files, and writes nothing.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::path::Path;

use cache_inputs::{ContextOptions, read_context};

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args_os().nth(1).ok_or("give the folder of a build")?;
    let tree = read_context(Path::new(&folder), &ContextOptions::default(), &())?;
    for (path, entry) in tree.iter() {
        println!("{:?} {}", entry.kind(), String::from_utf8_lossy(&path));
    }
    Ok(())
}
