//! Prints the compression and the diff ID of a layer in a file: `diff_id FILE`.
//!
//! It needs memory for a few chunks, however large the layer is.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;
use std::fs::File;
use std::io::{BufReader, Read};

use cache_compress::{DEFAULT_MAX_EXPANSION, Decoder};
use cache_ingest::Hasher;
use cache_model::Algorithm;

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the file of a layer")?;
    let mut decoder = Decoder::new(BufReader::new(File::open(path)?), DEFAULT_MAX_EXPANSION)?;
    let compression = decoder.compression().map_or_else(|| "unknown".to_owned(), |known| known.to_string());
    let mut hasher = Hasher::new(Algorithm::Sha256);
    let mut chunk = vec![0; 64 * 1024];
    loop {
        let len = decoder.read(&mut chunk)?;
        let Some(bytes) = chunk.get(..len).filter(|bytes| !bytes.is_empty()) else { break };
        hasher.update(bytes);
    }
    println!("{compression} {}", hasher.finish());
    Ok(())
}
