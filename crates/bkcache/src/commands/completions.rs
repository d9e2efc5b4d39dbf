//! `bkcache completions`: a shell's completion script.

use clap::CommandFactory;

use crate::cli::Cli;
use crate::failure::Failure;
use crate::output::write_exactly;

pub(crate) fn run(shell: clap_complete::Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "bkcache", &mut script);
    write_exactly(&script)
}
