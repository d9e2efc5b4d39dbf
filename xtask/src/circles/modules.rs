//! The modules of a crate, and which file defines what a path in one of them names.
//!
//! It follows re-exports and imports of all kinds to the item. Names that it does not find belong to other crates.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path as FilePath, PathBuf};

use anyhow::{Context, Result, bail};

use super::source::{self, Path};

/// The files of one crate, and for each the files that it uses, with one item that it uses there.
pub(super) type Uses = BTreeMap<String, BTreeMap<String, String>>;

/// The modules of one crate; the first is its root.
pub(super) struct Modules {
    modules: Vec<Module>,
    /// For each module the modules whose names it imports with `*`.
    globs: Vec<BTreeSet<usize>>,
}

struct Module {
    file: PathBuf,
    parent: usize,
    children: BTreeMap<String, usize>,
    says: source::Module,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Target {
    Module(usize),
    /// An item that this module defines.
    Item(usize),
}

impl Target {
    fn module(self) -> Option<usize> {
        match self {
            Self::Module(module) => Some(module),
            Self::Item(_) => None,
        }
    }
}

/// A module to read: where it belongs, and where the files of its own modules are.
struct Waiting {
    parent: usize,
    name: String,
    file: PathBuf,
    folder: PathBuf,
    says: source::Module,
}

/// The longest way of re-exports that is followed: longer ones lead in a circle.
const DEEPEST: usize = 32;

impl Modules {
    /// Reads the files of the crate with this root.
    pub(super) fn read(root: &FilePath) -> Result<Self> {
        let folder = root.parent().unwrap_or(root).to_owned();
        let mut modules: Vec<Module> = Vec::new();
        let mut waiting = vec![Waiting {
            parent: 0,
            name: String::new(),
            file: root.to_owned(),
            folder,
            says: read(root)?,
        }];
        while let Some(Waiting { parent, name, file, folder, mut says }) = waiting.pop() {
            let number = modules.len();
            for child in &mut says.modules {
                let name = child.name.clone();
                let below = folder.join(&name);
                waiting.push(match child.inline.take() {
                    Some(says) => Waiting { parent: number, name, file: file.clone(), folder: below, says },
                    None => {
                        let file = file_of(&folder, child)?;
                        let says = read(&file)?;
                        // The modules of a file that an attribute `path` names are beside it.
                        let beside = child.file.as_ref().and(file.parent()).map(FilePath::to_owned);
                        let folder = beside.unwrap_or(below);
                        Waiting { parent: number, name, file, folder, says }
                    }
                });
            }
            modules.push(Module { file, parent, children: BTreeMap::new(), says });
            if number > 0
                && let Some(parent) = modules.get_mut(parent)
            {
                parent.children.insert(name, number);
            }
        }
        let globs = vec![BTreeSet::new(); modules.len()];
        let mut read = Self { modules, globs };
        while read.extend_globs() {}
        Ok(read)
    }

    /// Adds the modules that imports with `*` name. Such an import may be found through another one, so it is called until
    /// it adds none.
    fn extend_globs(&mut self) -> bool {
        let mut found = self.globs.clone();
        for (number, (module, globs)) in self.modules.iter().zip(&mut found).enumerate() {
            for import in module.says.imports.iter().filter(|import| import.name == "*") {
                let targets = self.resolve(number, &import.path, 0);
                globs.extend(targets.into_iter().filter_map(Target::module));
            }
        }
        let is_more = found != self.globs;
        self.globs = found;
        is_more
    }

    /// The files of the crate, named from a folder, with the files that each uses.
    pub(super) fn uses(&self, folder: &FilePath) -> Uses {
        let display = |file: &FilePath| {
            let inside = file.strip_prefix(folder).unwrap_or(file);
            inside.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/")
        };
        let mut uses = Uses::new();
        for (number, module) in self.modules.iter().enumerate() {
            let used = uses.entry(display(&module.file)).or_default();
            let mut add = |path: &Path, targets: Vec<Target>| {
                for target in targets {
                    if let Target::Item(other) = target
                        && let Some(other) = self.modules.get(other)
                        && other.file != module.file
                    {
                        used.entry(display(&other.file)).or_insert_with(|| item(path));
                    }
                }
            };
            for import in
                module.says.imports.iter().filter(|import| import.name != "*" && !import.is_reexport)
            {
                add(&import.path, self.resolve(number, &import.path, 0));
            }
            for path in &module.says.paths {
                match path.as_slice() {
                    // An import has been counted above. A re-export has not: only its use in this file counts.
                    [name] if self.is_imported(number, name) => {}
                    _ => add(path, self.resolve(number, path, 0)),
                }
            }
        }
        uses
    }

    fn is_imported(&self, module: usize, name: &str) -> bool {
        let mut imports = self.modules.get(module).into_iter().flat_map(|module| &module.says.imports);
        imports.any(|import| import.name == name && !import.is_reexport)
    }

    /// What a path in a module stands for.
    fn resolve(&self, module: usize, path: &[String], depth: usize) -> Vec<Target> {
        if depth > DEEPEST {
            return Vec::new();
        }
        let Some((first, mut rest)) = path.split_first() else { return Vec::new() };
        let mut targets = match first.as_str() {
            "crate" => vec![Target::Module(0)],
            "self" => vec![Target::Module(module)],
            "super" => vec![Target::Module(self.parent(module))],
            name => self.look_up(module, name, depth + 1),
        };
        let is_absolute = matches!(first.as_str(), "crate" | "self" | "super");
        while let Some((name, after)) = rest.split_first() {
            rest = after;
            // The segments behind an item are its own.
            let modules: Vec<usize> = targets.iter().filter_map(|target| target.module()).collect();
            if modules.is_empty() {
                break;
            }
            targets = modules
                .into_iter()
                .flat_map(|module| match name.as_str() {
                    "super" => vec![Target::Module(self.parent(module))],
                    name => {
                        let found = self.look_up(module, name, depth + 1);
                        // A macro may define it there.
                        let by_macro = found.is_empty() && module > 0 && is_absolute;
                        if by_macro { vec![Target::Item(module)] } else { found }
                    }
                })
                .collect();
        }
        targets
    }

    /// What a name in a module stands for. Names of its own come before those that it imports with `*`.
    fn look_up(&self, number: usize, name: &str, depth: usize) -> Vec<Target> {
        let mut seen = BTreeSet::from([number]);
        let mut waiting = vec![number];
        let mut targets = Vec::new();
        while let Some(module) = waiting.pop() {
            let own = self.look_up_own(module, name, depth);
            if own.is_empty() {
                let globs = self.globs.get(module).into_iter().flatten();
                waiting.extend(globs.filter(|other| seen.insert(**other)));
            }
            targets.extend(own);
        }
        targets
    }

    /// What a name in a module stands for, without imports with `*`.
    fn look_up_own(&self, number: usize, name: &str, depth: usize) -> Vec<Target> {
        let Some(module) = self.modules.get(number) else { return Vec::new() };
        let mut targets = Vec::new();
        if module.says.items.iter().any(|item| item == name) {
            targets.push(Target::Item(number));
        }
        targets.extend(module.children.get(name).map(|child| Target::Module(*child)));
        for import in module.says.imports.iter().filter(|import| import.name == name) {
            targets.extend(self.resolve(number, &import.path, depth + 1));
        }
        targets
    }

    fn parent(&self, module: usize) -> usize {
        self.modules.get(module).map_or(0, |module| module.parent)
    }
}

fn read(file: &FilePath) -> Result<source::Module> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    source::read(&text).with_context(|| format!("cannot understand {}", file.display()))
}

/// The file of a module that is declared in a folder.
fn file_of(folder: &FilePath, child: &source::Child) -> Result<PathBuf> {
    let name = &child.name;
    let candidates = match &child.file {
        Some(file) => vec![folder.join(file)],
        None => vec![folder.join(format!("{name}.rs")), folder.join(name).join("mod.rs")],
    };
    match candidates.into_iter().find(|file| file.is_file()) {
        Some(file) => Ok(file),
        None => bail!("there is no file for the module {name} in {}", folder.display()),
    }
}

/// The name of the item that a path names.
fn item(path: &Path) -> String {
    let is_type = |name: &&String| name.starts_with(char::is_uppercase);
    path.iter().find(is_type).or(path.last()).cloned().unwrap_or_default()
}
