//! The files that the steps of builds came from, as a review finds them in its repository.

use std::collections::HashMap;
use std::path::{Component, Path};

use cache_explain::{Build, StepPlace};

use crate::cli::ContextFolder;

/// The paths of source files.
#[derive(Default)]
pub(crate) struct SourceFiles {
    /// By build and step.
    paths: HashMap<(usize, usize), String>,
    /// The first file of each build.
    first: Vec<Option<String>>,
}

impl SourceFiles {
    /// The source files of these builds. A record names a file as the build was given it; if one of the folders has that file, the
    /// path leads through the folder.
    pub(crate) fn of<'b>(builds: impl IntoIterator<Item = &'b Build>, folders: &[ContextFolder]) -> Self {
        let mut files = Self::default();
        for (build, it) in builds.into_iter().enumerate() {
            for (step, locations) in it.locations.iter().enumerate() {
                let first = locations.iter().min_by_key(|location| location.first_line);
                let source = first.and_then(|location| it.sources.get(location.source));
                if let Some(source) = source {
                    files.paths.insert((build, step), path(&source.filename, folders));
                }
            }
            files.first.push(it.sources.first().map(|source| path(&source.filename, folders)));
        }
        files
    }

    /// The path of a step's file; for a step that the frontend added, of the build's first file.
    pub(crate) fn of_step(&self, at: &StepPlace) -> Option<&str> {
        let first = || self.first.get(at.build).and_then(Option::as_ref);
        self.paths.get(&(at.build, at.step)).or_else(first).map(String::as_str)
    }
}

fn path(filename: &str, folders: &[ContextFolder]) -> String {
    let candidates = folders.iter().map(|context| context.folder.join(filename));
    let found = candidates.filter(|path| path.is_file()).find_map(|path| below_this_folder(&path));
    found.unwrap_or_else(|| filename.to_owned())
}

/// A path below the working folder, without `.` components; `None` for any other.
fn below_this_folder(path: &Path) -> Option<String> {
    let components = path.components().filter(|component| *component != Component::CurDir);
    let names: Option<Vec<&str>> = components
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.map(|names| names.join("/"))
}
