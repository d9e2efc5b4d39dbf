//! Every link of the documentation into the repository leads to a file there, and its anchor to a heading.
//!
//! The pages of `docs` are a book, too, which has no other files. So a link of theirs out of `docs` begins with `FORGE`.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use libtest_mimic::Trial;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

use crate::page::{below, examples, root};

/// The address of the repository's files. Links that begin with it are followed in the checkout.
const FORGE: &str = "https://github.com/bkcache/bkcache/blob/main/";

pub fn trials() -> Vec<Trial> {
    vec![
        Trial::test("every_link_leads_to_a_file_and_a_heading", || {
            let broken: Vec<String> = pages().iter().flat_map(|page| broken(page)).collect();
            if broken.is_empty() { Ok(()) } else { Err(broken.join("\n").into()) }
        }),
        Trial::test("the_book_has_every_page", || {
            let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md"))?;
            let missing: Vec<PathBuf> = below("docs")
                .into_iter()
                .filter(|page| !page.ends_with("SUMMARY.md"))
                .filter(|page| {
                    !summary.contains(&format!("]({})", page.strip_prefix("docs").unwrap().display()))
                })
                .collect();
            if missing.is_empty() { Ok(()) } else { Err(format!("docs/SUMMARY.md lacks {missing:?}").into()) }
        }),
        Trial::test("a_heading_has_the_anchor_of_a_forge", || {
            let found =
                anchors("# The `--json` form\n## Twice\n## Twice\n### 7. A, b & c_d\n<a id=\"own\"></a>\n");
            let expected = ["7-a-b--c_d", "own", "the---json-form", "twice", "twice-1"];
            if found == expected { Ok(()) } else { Err(format!("{found:?}").into()) }
        }),
    ]
}

/// The pages with examples, and those for people of the project.
fn pages() -> Vec<PathBuf> {
    let mut pages = examples();
    pages.extend(["ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(PathBuf::from));
    pages.extend(below("tests"));
    pages
}

/// The links of a page that lead nowhere.
fn broken(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(root().join(page)).unwrap();
    let mut broken = Vec::new();
    for (event, range) in Parser::new_ext(&text, Options::ENABLE_TABLES).into_offset_iter() {
        let (Event::Start(Tag::Link { dest_url, .. }) | Event::Start(Tag::Image { dest_url, .. })) = event
        else {
            continue;
        };
        let outside = dest_url.contains("://") && !dest_url.starts_with(FORGE);
        if outside || dest_url.starts_with("mailto:") {
            continue;
        }
        if let Err(why) = follow(page, &text, &dest_url) {
            let line = 1 + text[..range.start].matches('\n').count();
            broken.push(format!("{}:{line}: {dest_url}: {why}", page.display()));
        }
    }
    broken
}

fn follow(page: &Path, text: &str, link: &str) -> Result<(), &'static str> {
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let target = match path {
        "" => text.to_owned(),
        path => {
            let file = match path.strip_prefix(FORGE) {
                Some(file) => PathBuf::from(file),
                None => normal(&page.parent().unwrap_or(Path::new("")).join(path))
                    .ok_or("above the repository")?,
            };
            if page.starts_with("docs") && !path.starts_with(FORGE) && !file.starts_with("docs") {
                return Err("the book has no such file: begin the link with the address of the forge");
            }
            let file = root().join(file);
            if !file.exists() {
                return Err("no such file");
            }
            std::fs::read_to_string(file).unwrap_or_default()
        }
    };
    let found = anchor.is_none_or(|anchor| anchors(&target).iter().any(|found| found == anchor));
    if found { Ok(()) } else { Err("no such heading") }
}

/// A path without `..`; `None` if it leads out of the repository.
fn normal(path: &Path) -> Option<PathBuf> {
    let mut normal = PathBuf::new();
    for component in path.components() {
        match component {
            Component::Normal(part) => normal.push(part),
            Component::CurDir => {}
            _ => {
                if !normal.pop() {
                    return None;
                }
            }
        }
    }
    Some(normal)
}

/// The anchors of a page, sorted: those that a forge gives its headings, and its own.
fn anchors(text: &str) -> Vec<String> {
    let mut anchors = Vec::new();
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(piece) | Event::Code(piece) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&piece);
                }
            }
            Event::End(TagEnd::Heading(_)) => {
                let anchor = anchor(&heading.take().unwrap_or_default());
                let times = seen.entry(anchor.clone()).or_default();
                anchors.push(if *times == 0 { anchor } else { format!("{anchor}-{times}") });
                *times += 1;
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                let own = html.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
                anchors.extend(own.map(str::to_owned));
            }
            _ => {}
        }
    }
    anchors.sort();
    anchors
}

fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|char| char.is_alphanumeric() || " -_".contains(*char));
    kept.flat_map(char::to_lowercase).map(|char| if char == ' ' { '-' } else { char }).collect()
}
