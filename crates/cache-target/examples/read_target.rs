//! Says how a text that names a cache is read: `read_target TEXT...`.
//!
//! It opens nothing.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use cache_target::{Attributes, Role};

fn main() {
    for text in std::env::args().skip(1) {
        match Attributes::parse(&text, Role::Source) {
            Ok(attributes) => {
                println!("{text}: type {}", attributes.kind());
                for (key, value) in attributes.iter() {
                    println!("  {key} = {value}");
                }
            }
            Err(error) => println!("{text}: {error}"),
        }
    }
}
