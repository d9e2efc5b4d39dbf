//! Prints the SHA-256 of files, two at a time: `sha256sum FILE...`.
//!
//! The files are read whole, for brevity.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::path::PathBuf;

use cache_hash::{LANES, Sha256, update_together};

fn main() -> std::io::Result<()> {
    let files: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    for files in files.chunks(LANES) {
        let contents = files.iter().map(std::fs::read).collect::<Result<Vec<_>, _>>()?;
        let mut states = vec![Sha256::new(); files.len()];
        let mut parts: Vec<_> =
            states.iter_mut().zip(&contents).map(|(state, bytes)| (state, &**bytes)).collect();
        update_together(&mut parts);
        for (state, file) in states.into_iter().zip(files) {
            let hex: String = state.finish().iter().map(|byte| format!("{byte:02x}")).collect();
            println!("{hex}  {}", file.display());
        }
    }
    Ok(())
}
