//! Runs the blocks of a page in one session, and compares the output of each command with what the page shows.

use snapbox::{Assert, Data, Redactions};

use crate::page::{Block, Command, blocks};
use crate::session::{Ran, Session};
use crate::workflow::Workflows;
use crate::world::World;

/// Runs a page. The error names the line, and has the difference.
pub fn check(world: &World, name: &str, path: &str, text: &str) -> Result<(), String> {
    let blocks = blocks(text).map_err(|why| format!("{path}, {why}"))?;
    if blocks.is_empty() {
        return Ok(());
    }
    let Some(session) = Session::start(world, name, text)? else { return Ok(()) };
    let mut workflows = Workflows::default();
    for block in blocks {
        match block {
            Block::Console(commands) => {
                for command in commands {
                    let ran = session.typed(&command.text);
                    compare(&command, &ran)
                        .map_err(|why| format!("{path}:{}: $ {}\n{why}", command.line, command.text))?;
                }
            }
            Block::Yaml(line, text) => {
                run_workflow(&session, &mut workflows, &text)
                    .map_err(|why| format!("{path}:{line}: {why}"))?;
            }
        }
    }
    Ok(())
}

fn compare(command: &Command, ran: &Ran) -> Result<(), String> {
    if ran.code != command.code {
        return Err(format!("exit code {} instead of {}:\n{}", ran.code, command.code, ran.output));
    }
    let expected = trimmed(&command.output);
    if expected.is_empty() {
        return Ok(());
    }
    let assert = Assert::new().redact_with(Redactions::new()).normalize_paths(false);
    // Not raw: `...` stands for lines, `[..]` for text within a line.
    let compared = assert.try_eq(None, Data::text(trimmed(&ran.output)), Data::text(expected));
    compared.map_err(|difference| difference.to_string())
}

/// Without spaces at the ends of lines, and without empty lines at the end.
fn trimmed(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().map(str::trim_end).collect();
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn run_workflow(session: &Session, workflows: &mut Workflows, text: &str) -> Result<(), String> {
    for script in workflows.scripts(text, &session.values)? {
        let ran = session.script(&script.text, &script.variables);
        if ran.code != 0 {
            return Err(format!("exit code {} of\n{}\n{}", ran.code, script.text, ran.output));
        }
    }
    Ok(())
}
