//! Refuses circles of files within a crate: files of which each uses, directly or through others, an item that the
//! other defines.
//!
//! A use counts for the file that defines the item, however many re-exports it goes through. Declaring or re-exporting
//! an item of another file (`mod x;`, `pub use`) is no use of it, and code for tests alone does not count. Calls of
//! methods name no path, so they are not seen.

mod modules;
mod source;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use anyhow::Result;

use self::modules::{Modules, Uses};
use crate::workspace::Package;

/// A line for each group of files that use one another.
pub(crate) fn check(packages: &[Package]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for package in packages {
        for root in &package.roots {
            let uses = Modules::read(root)?.uses(&package.folder);
            findings.extend(circles(&uses).iter().map(|circle| format!("{}: {circle}", package.name)));
        }
    }
    findings.sort();
    findings.dedup();
    Ok(findings)
}

/// The shortest circle of each group of files that use one another, as text.
fn circles(uses: &Uses) -> Vec<String> {
    let mut found = Vec::new();
    let mut seen: BTreeSet<&str> = BTreeSet::new();
    for file in uses.keys() {
        if seen.contains(file.as_str()) {
            continue;
        }
        let group = group(uses, file);
        seen.extend(&group);
        let shortest = group.iter().filter_map(|file| circle(uses, file)).min_by_key(Vec::len);
        if let Some(circle) = shortest {
            found.push(text(uses, &circle, &group));
        }
    }
    found
}

/// The files that a file reaches and that reach it, itself among them.
fn group<'u>(uses: &'u Uses, file: &'u str) -> BTreeSet<&'u str> {
    let from = reached(uses, file);
    let mut group: BTreeSet<&str> =
        from.iter().copied().filter(|other| reached(uses, other).contains(file)).collect();
    group.insert(file);
    group
}

/// The files that a file uses, directly or through others.
fn reached<'u>(uses: &'u Uses, file: &str) -> BTreeSet<&'u str> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![file];
    while let Some(file) = waiting.pop() {
        for used in uses.get(file).into_iter().flat_map(BTreeMap::keys) {
            if reached.insert(used.as_str()) {
                waiting.push(used);
            }
        }
    }
    reached
}

/// The shortest way from a file back to it, with the file at both ends.
fn circle<'u>(uses: &'u Uses, file: &'u str) -> Option<Vec<&'u str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([file]);
    while let Some(user) = waiting.pop_front() {
        for used in uses.get(user).into_iter().flat_map(BTreeMap::keys) {
            if used == file {
                let mut way = vec![file, user];
                while let Some(earlier) = way.last().and_then(|last| before.get(last)) {
                    way.push(earlier);
                }
                way.reverse();
                return Some(way);
            }
            if !before.contains_key(used.as_str()) {
                before.insert(used, user);
                waiting.push_back(used);
            }
        }
    }
    None
}

fn text(uses: &Uses, circle: &[&str], group: &BTreeSet<&str>) -> String {
    let steps = circle.iter().zip(circle.iter().skip(1));
    let items: Vec<&str> =
        steps.filter_map(|(user, used)| uses.get(*user)?.get(*used)).map(String::as_str).collect();
    let mut text = format!("{} ({})", circle.join(" -> "), items.join(", "));
    if group.len() >= circle.len() {
        let files: Vec<&str> = group.iter().copied().collect();
        text += &format!("; {} files use one another: {}", files.len(), files.join(", "));
    }
    text
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The circles of a crate with these files.
    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        circles(&Modules::read(&folder.path().join("lib.rs")).unwrap().uses(folder.path()))
    }

    #[test]
    fn this_workspace_has_no_circle_of_files() {
        let packages = crate::workspace::Workspace::load(&crate::command::root()).unwrap().packages;
        assert_eq!(check(&packages).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn the_modules_of_a_file_that_an_attribute_names_are_beside_it() {
        let root = "#[path = \"other/mod.rs\"] mod a;";
        let a = ("other/mod.rs", "mod b; use b::B; pub struct A;");
        let b = ("other/b.rs", "use super::A; pub struct B;");
        let circle = "other/b.rs -> other/mod.rs -> other/b.rs (A, B)";
        assert_eq!(found(&[("lib.rs", root), a, b]), [circle]);
    }

    #[test]
    fn a_use_of_a_name_that_the_root_reexports_is_one_of_the_file_that_defines_it() {
        let root = "mod a; mod b; mod c; pub use a::*; pub use self::b::{B, C as D};";
        let circle = "a.rs -> b.rs -> a.rs (B, A)";
        let b = ("b.rs", "use crate::A; pub struct B(A); pub struct C;");
        let c = ("c.rs", "use crate::{A, B, D};");
        assert_eq!(found(&[("lib.rs", root), ("a.rs", "use crate::B; pub struct A;"), b, c]), [circle]);
        // Through a module that is imported, and in a macro.
        let a = ("a.rs", "use crate::b; pub fn f() { print!(\"{}\", b::B) } pub struct A;");
        assert_eq!(found(&[("lib.rs", root), a, b, c]), [circle]);
        let a = ("a.rs", "pub struct A;");
        assert_eq!(found(&[("lib.rs", root), a, b, c]), Vec::<String>::new());
    }

    #[test]
    fn many_imports_of_everything_take_little_time() {
        // Each module imports everything of all others and of unknown crates. `back.rs` gets `A` through all of them.
        let names: Vec<String> = (0..12).map(|n| format!("m{n}")).collect();
        let globs: Vec<String> =
            names.iter().map(|name| format!("pub use crate::{name}::*; use other_{name}::*;")).collect();
        let text = format!("{} fn f() -> Absent {{}}", globs.concat());
        let root = names.iter().map(|name| format!("mod {name};")).collect::<String>() + "mod back;";
        let first = format!("{text} pub struct A; fn g() -> crate::back::B {{}}");
        let mut files = vec![("lib.rs".to_owned(), root)];
        files.extend(names.iter().map(|name| (format!("{name}.rs"), text.clone())));
        files.extend([
            ("m0.rs".to_owned(), first),
            ("back.rs".to_owned(), "use crate::m11::A; pub struct B(A);".to_owned()),
        ]);
        let files: Vec<(&str, &str)> =
            files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
        assert_eq!(found(&files), ["back.rs -> m0.rs -> back.rs (A, B)"]);
    }

    #[test]
    fn a_parent_that_uses_its_child_and_is_used_by_it_is_a_circle() {
        let root = ("lib.rs", "mod a;");
        let child = ("a/b.rs", "use super::A; pub(super) struct B(A);");
        let parent = ("a.rs", "mod b; use self::b::B; struct A; fn f() -> B {}");
        let circle = "a.rs -> a/b.rs -> a.rs (B, A)";
        assert_eq!(found(&[root, parent, child]), [circle]);
        // What the parent re-exports and uses by its name, or names by a path.
        let parent = ("a.rs", "mod b; pub(crate) use b::B; struct A; fn f() -> B {}");
        assert_eq!(found(&[root, parent, child]), [circle]);
        let parent = ("a.rs", "mod b; struct A; fn f() -> b::B {}");
        assert_eq!(found(&[root, parent, child]), [circle]);
        // By all its names.
        let parent = ("a.rs", "mod b; use b::*; struct A; fn f() -> B {}");
        assert_eq!(found(&[root, parent, child]), [circle]);
    }

    #[test]
    fn a_facade_and_tests_make_no_circle() {
        let files = [
            ("lib.rs", "mod a; mod b; pub use a::A; pub use b::B; pub struct C;"),
            ("a.rs", "use crate::C; pub struct A(C); #[cfg(test)] mod tests { use crate::B; }"),
            ("b.rs", "use crate::{A, C}; pub struct B(A, C);"),
        ];
        assert_eq!(found(&files), Vec::<String>::new());
    }

    #[test]
    fn a_variable_with_the_name_of_an_item_is_no_use_of_it() {
        let lib = ("lib.rs", "mod a; pub use a::*; pub struct C; fn f(blob: u8) -> u8 { g(blob) }");
        assert_eq!(found(&[lib, ("a.rs", "use crate::C; pub fn blob(c: C) {}")]), Vec::<String>::new());
        let lib = ("lib.rs", "mod a; pub use a::*; pub struct C; fn f() { blob(C) }");
        assert_eq!(
            found(&[lib, ("a.rs", "use crate::C; pub fn blob(c: C) {}")]),
            ["a.rs -> lib.rs -> a.rs (C, blob)"]
        );
    }

    #[test]
    fn the_shortest_circle_is_shown_and_the_files_that_take_part_in_any() {
        let files = [
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B; pub struct A;"),
            ("b.rs", "use crate::c::C; pub struct B;"),
            ("c.rs", "use crate::a::A; use crate::b::B; pub struct C;"),
            ("d.rs", "use crate::a::A; pub struct D;"),
        ];
        let circle = "b.rs -> c.rs -> b.rs (C, B); 3 files use one another: a.rs, b.rs, c.rs";
        assert_eq!(found(&files), [circle]);
    }
}
