//! Where the pages are, and what a page has to run: its `console` and `yaml` blocks.
//!
//! Nothing is run here. A block that cannot be understood is an error, so that no example is left out.

use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// A block of a page that is run.
#[derive(Debug)]
pub enum Block {
    /// Commands, each with its output.
    Console(Vec<Command>),
    /// A workflow: the line of its fence in the page, and its text.
    Yaml(usize, String),
}

/// A command of a console block.
#[derive(Debug)]
pub struct Command {
    /// The line of the page.
    pub line: usize,
    pub text: String,
    /// The output that the page shows; empty if it shows none.
    pub output: String,
    /// The exit code that it has to have.
    pub code: i32,
}

/// The top of the repository.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// All pages with examples, relative to the top: the README, `docs/**/*.md`, and the READMEs of the crates.
pub fn examples() -> Vec<PathBuf> {
    let mut pages = vec![PathBuf::from("README.md")];
    pages.extend(below("docs"));
    pages.extend(below("crates").into_iter().filter(|path| {
        path.components().count() == 3 && path.file_name().is_some_and(|name| name == "README.md")
    }));
    pages
}

/// Every Markdown file below a folder, relative to the top, sorted.
pub fn below(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![PathBuf::from(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(root().join(&folder)).unwrap().map(|entry| entry.unwrap()) {
            let path = folder.join(entry.file_name());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The name of a page's set-up: `README`, `recipes-github` for `docs/recipes/github.md`, `crate-cache-model`.
pub fn name(path: &Path) -> String {
    let path = path.with_extension("").display().to_string();
    match (path.strip_prefix("docs/"), path.strip_prefix("crates/")) {
        (Some(page), _) => page.replace('/', "-"),
        (_, Some(page)) => format!("crate-{}", page.trim_end_matches("/README")),
        _ => path,
    }
}

/// The blocks of a page, in their order.
pub fn blocks(text: &str) -> Result<Vec<Block>, String> {
    let mut blocks = Vec::new();
    let mut tag = None;
    let mut content = String::new();
    let mut comment = String::new();
    for (event, range) in Parser::new_ext(text, Options::ENABLE_TABLES).into_offset_iter() {
        let line = 1 + text[..range.start].matches('\n').count();
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => tag = Some(info.to_string()),
            Event::Text(piece) if tag.is_some() => content.push_str(&piece),
            Event::End(TagEnd::CodeBlock) => {
                let tag = tag.take().unwrap_or_default();
                let block = block(&tag, line, &std::mem::take(&mut content), &std::mem::take(&mut comment));
                blocks.extend(block.map_err(|why| format!("line {line}: {why}"))?);
            }
            Event::Html(html) => comment.push_str(&html),
            Event::Start(Tag::HtmlBlock) => comment.clear(),
            Event::End(TagEnd::HtmlBlock) => {}
            _ if tag.is_none() => comment.clear(),
            _ => {}
        }
    }
    Ok(blocks)
}

fn block(tag: &str, line: usize, content: &str, comment: &str) -> Result<Option<Block>, String> {
    let code = comment.trim().strip_prefix("<!-- exit: ").and_then(|rest| rest.strip_suffix(" -->"));
    let code =
        code.map(|code| code.parse().map_err(|_| format!("{code} is not an exit code"))).transpose()?;
    match tag {
        "console" => Ok(Some(Block::Console(commands(line, content, code.unwrap_or(0))?))),
        "yaml" => Ok(Some(Block::Yaml(line, content.to_owned()))),
        "sh" | "bash" | "shell" => {
            Err(format!("a block tagged {tag} is not run: tag it console, with `$ ` before each command"))
        }
        "" if content.lines().any(|line| line.starts_with("$ ")) => {
            Err("a block without a tag is not run: tag it console".to_owned())
        }
        _ if code.is_some() => Err("an exit code is of use only above a console block".to_owned()),
        _ => Ok(None),
    }
}

/// Splits a console block. `line` is that of the fence.
fn commands(line: usize, content: &str, code: i32) -> Result<Vec<Command>, String> {
    let mut commands: Vec<Command> = Vec::new();
    let mut lines = content.lines().enumerate();
    while let Some((at, text)) = lines.next() {
        if let Some(first) = text.strip_prefix("$ ") {
            let mut text = first.to_owned();
            let delimiter = here_document(first);
            while delimiter.map_or_else(|| continues(&text), |end| text.lines().last() != Some(end)) {
                let (_, next) = lines.next().ok_or_else(|| format!("{first:?} does not end"))?;
                text.push('\n');
                text.push_str(next);
            }
            commands.push(Command { line: line + 1 + at, text, output: String::new(), code: 0 });
        } else {
            let command = commands.last_mut().ok_or("a console block begins with `$ ` and a command")?;
            command.output.push_str(text);
            command.output.push('\n');
        }
    }
    commands.last_mut().ok_or("a console block without a command")?.code = code;
    Ok(commands)
}

fn continues(text: &str) -> bool {
    ["\\", "|", "&&"].iter().any(|end| text.ends_with(end))
}

/// The word that ends the here-document of a command, if it has one.
fn here_document(command: &str) -> Option<&str> {
    let (_, word) = command.split_once("<<")?;
    word.split([' ', '|', ')']).next().map(|word| word.trim_matches(['\'', '"']))
}
