//! The files of `docs` that the program writes itself: `commands.md` from its help, `picture.svg` from a session.
//!
//! A test compares each with what the program prints now. `cargo xtask docs` runs these tests so that they write the files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use anstyle::RgbColor;
use anstyle_svg::{Palette, Term, VGA};
use libtest_mimic::{Failed, Trial};
use snapbox::assert::Action;
use snapbox::{Assert, Data};

use crate::page::root;
use crate::session::Session;
use crate::world::World;

/// With the value `overwrite` the tests write the files.
const ACTION: &str = "BKCACHE_DOCS";

type Generator = fn(&Session) -> String;

pub fn trials(world: &Arc<World>) -> Vec<Trial> {
    let files: [(&str, Generator); 2] = [("docs/commands.md", commands), ("docs/picture.svg", picture)];
    let trial = |(file, generate): (&'static str, Generator)| {
        let world = world.clone();
        Trial::test(format!("generated::{file}"), move || {
            let session =
                Session::start(&world, "generated", "")?.ok_or("the session needs no other program")?;
            current(file, &generate(&session)).map_err(Failed::from)
        })
    };
    files.into_iter().map(trial).collect()
}

fn current(file: &str, text: &str) -> Result<(), String> {
    let stored = Data::read_from(&root().join(file), Some(snapbox::data::DataFormat::Text)).raw();
    let assert = Assert::new().action(Action::Verify).action_env(ACTION);
    let compared = assert.try_eq(None, Data::text(text).raw(), stored);
    compared.map_err(|difference| format!("{file} is not current, run cargo xtask docs:\n{difference}"))
}

/// A chapter of a help: a line at the margin, and what is indented below it.
type Chapter = String;

/// Every command with its long help. A chapter that three commands or more have is shown once, at the end.
fn commands(session: &Session) -> String {
    let help: String = chapters(&session.script("bkcache --help", &BTreeMap::new()).output).concat();
    let list = help.split("\nCommands:\n").nth(1).and_then(|rest| rest.split("\n\n").next()).unwrap();
    let lines = list.lines().map(|line| line.trim().split_once(' ').unwrap());
    let commands: Vec<(&str, &str)> =
        lines.map(|(name, summary)| (name, summary.trim())).filter(|(name, _)| *name != "help").collect();
    let help_of = |name: &str| session.script(&format!("bkcache {name} --help"), &BTreeMap::new()).output;
    let helps: Vec<Vec<Chapter>> = commands.iter().map(|(name, _)| chapters(&help_of(name))).collect();
    let shared = shared(&helps);

    let mut page = String::from(
        "# Commands\n\n\
         This page is what `bkcache COMMAND --help` prints. `cargo xtask docs` writes it, and a test fails if it is not current.\n\n\
         | command | what it does |\n| --- | --- |\n",
    );
    for (name, summary) in &commands {
        writeln!(page, "| [`{name}`](#bkcache-{name}) | {summary} |").unwrap();
    }
    writeln!(page, "\n## bkcache\n\n```text\n{}\n```", help.trim_end()).unwrap();
    for ((name, _), chapters) in commands.iter().zip(&helps) {
        let own: String = chapters.iter().filter(|chapter| !shared.contains(chapter)).cloned().collect();
        writeln!(page, "\n## bkcache {name}\n\n```text\n{}\n```", own.trim_end()).unwrap();
        let others = chapters.iter().filter(|chapter| shared.contains(chapter)).map(|chapter| {
            let title = title(chapter);
            format!("[{title}](#{})", title.to_lowercase().replace(' ', "-"))
        });
        let others: Vec<String> = others.collect();
        if !others.is_empty() {
            writeln!(page, "\nSee also: {}.", others.join(", ")).unwrap();
        }
    }
    for chapter in shared {
        writeln!(page, "\n## {}\n\n```text\n{}\n```", title(chapter), chapter.trim_end()).unwrap();
    }
    page
}

fn chapters(help: &str) -> Vec<Chapter> {
    let mut chapters: Vec<Chapter> = Vec::new();
    for line in help.lines() {
        let begins = !line.is_empty() && !line.starts_with(' ');
        if begins || chapters.is_empty() {
            chapters.push(String::new());
        }
        let chapter = chapters.last_mut().unwrap();
        chapter.push_str(line.trim_end());
        chapter.push('\n');
    }
    chapters
}

/// The chapters of options that three commands or more have, word for word, in the order in which they come first.
fn shared(helps: &[Vec<Chapter>]) -> Vec<&Chapter> {
    let mut shared: Vec<&Chapter> = Vec::new();
    for chapter in helps.iter().flatten() {
        let holders = helps.iter().filter(|help| help.contains(chapter)).count();
        let options = chapter.lines().count() > 5 && chapter.contains("\n  -");
        if holders > 2 && options && !shared.contains(&chapter) {
            shared.push(chapter);
        }
    }
    shared
}

fn title(chapter: &Chapter) -> &str {
    chapter.lines().next().unwrap_or_default().trim_end_matches(':')
}

/// A terminal in which a miss is explained, and a cache is looked into.
fn picture(session: &Session) -> String {
    let typed = [
        "bkcache why ./new --was ./old --record new.dockerbuild --was-record old.dockerbuild",
        "bkcache inspect --tree ./cache --record build.dockerbuild",
    ];
    let colours = BTreeMap::from([("CLICOLOR_FORCE".to_owned(), "1".to_owned())]);
    let mut screen = String::new();
    for command in typed {
        let ran = session.script(command, &colours);
        assert_eq!(ran.code, 0, "{}", ran.output);
        let prompt = if screen.is_empty() { "" } else { "\n" };
        write!(screen, "{prompt}\u{1b}[32m$\u{1b}[0m \u{1b}[1m{command}\u{1b}[0m\n{}", ran.output).unwrap();
    }
    let svg = Term::new().palette(palette()).min_width_px(0).render_svg(screen.trim_end());
    // The library's 0.4 is hard to read on a dark background.
    format!("{}\n", svg.trim_end().replace("opacity: 0.4", "opacity: 0.7"))
}

/// Black, red, green and white that differ enough from one another to be read. The background is the black.
fn palette() -> Palette {
    let mut colours = VGA.0;
    colours[0] = RgbColor(0x1b, 0x1f, 0x24);
    colours[1] = RgbColor(0xff, 0x7b, 0x72);
    colours[2] = RgbColor(0x56, 0xd3, 0x64);
    colours[7] = RgbColor(0xd8, 0xde, 0xe4);
    Palette(colours)
}
