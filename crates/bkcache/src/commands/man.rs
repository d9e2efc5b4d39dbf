//! `bkcache man`: the manual pages, one for the program and one for each command.
//!
//! They are made from the command line's own help, so that they say what `--help` says. They have no date, which the
//! program does not know: the same version gives the same bytes.

use std::fs;
use std::path::Path;

use clap::{Command, CommandFactory};

use crate::cli::Cli;
use crate::failure::{Doing, Failure};

pub(crate) fn run(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).doing(|| format!("cannot make the folder {}", folder.display()))?;
    let mut program = Cli::command().disable_help_subcommand(true);
    program.build();
    write_page(&program, folder)?;
    program.get_subcommands().filter(|command| !command.is_hide_set()).try_for_each(|command| {
        // A page has its command's full name, such as bkcache-copy, and the version of the program.
        let name = command.get_display_name().unwrap_or(command.get_name()).to_owned();
        write_page(&command.clone().name(name), folder)
    })
}

fn write_page(command: &Command, folder: &Path) -> Result<(), Failure> {
    let name = command.get_name().to_owned();
    let page = clap_mangen::Man::new(command.clone())
        .title(name.to_uppercase())
        .date("\"\"")
        .source(concat!("bkcache ", env!("CARGO_PKG_VERSION")))
        .manual("bkcache");
    let file = folder.join(format!("{name}.1"));
    let mut roff = Vec::new();
    page.render(&mut roff)
        .and_then(|()| fs::write(&file, keep_lines(&String::from_utf8_lossy(&roff))))
        .doing(|| format!("cannot write {}", file.display()))
}

/// The page with the line breaks of its examples and tables, whose lines are indented: prose is filled.
fn keep_lines(roff: &str) -> String {
    let mut kept = String::new();
    let mut is_indented = false;
    for line in roff.lines() {
        if line.starts_with("  ") != is_indented {
            is_indented = !is_indented;
            kept.push_str(if is_indented { ".nf\n" } else { ".fi\n" });
        }
        // The texts at the end of the help have no title there.
        kept.push_str(if line == ".SH EXTRA" { ".SH NOTES" } else { line.trim_end() });
        kept.push('\n');
    }
    kept + if is_indented { ".fi\n" } else { "" }
}
