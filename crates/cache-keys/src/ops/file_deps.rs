//! What actions on files take from their inputs (BuildKit: `CacheMap` in `solver/llbsolver/ops/file.go`).

use cache_model::Digest;

use crate::go_path::{clean_absolute, topmost};
use crate::ops::dep::Dep;
use crate::ops::file::{CopyAction, FileAction, FileActionKind, FileOp, OwnerPart};
use crate::{ContentRule, ContentSelector, has_wildcard};

/// The selectors of one input, in the order of the actions, and whether an action changes the input.
#[derive(Default)]
struct Taken<'a> {
    parts: Vec<TakenPart<'a>>,
    is_changed: bool,
}

struct TakenPart<'a> {
    path: &'a str,
    wildcard: bool,
    follow: bool,
    include: &'a [String],
    exclude: &'a [String],
}

impl FileOp {
    /// What the actions take from each of `count` inputs.
    pub(crate) fn deps(&self, count: usize) -> Vec<Dep> {
        let mut taken: Vec<Taken<'_>> = std::iter::repeat_with(Taken::default).take(count).collect();
        for action in &self.actions {
            if let Some(input) = action.input.and_then(|input| taken.get_mut(input)) {
                input.is_changed = true;
            }
            for (input, part) in action.takes() {
                if let Some(input) = taken.get_mut(input) {
                    input.parts.push(part);
                }
            }
        }
        taken.iter().map(Taken::dep).collect()
    }
}

impl FileAction {
    /// The parts of inputs that the action takes, with the inputs' positions.
    fn takes(&self) -> Vec<(usize, TakenPart<'_>)> {
        let mut taken = Vec::new();
        let owner = match &self.kind {
            FileActionKind::Copy(copy) => copy.owner.as_ref(),
            FileActionKind::Mkfile(mkfile) => mkfile.owner.as_ref(),
            FileActionKind::Mkdir(mkdir) => mkdir.owner.as_ref(),
            FileActionKind::Rm(_) | FileActionKind::Unrecorded => None,
        };
        if let Some(owner) = owner {
            for (part, path) in [(&owner.user, "/etc/passwd"), (&owner.group, "/etc/group")] {
                if let Some(OwnerPart::Name { input, .. }) = part {
                    let part = TakenPart { path, wildcard: false, follow: true, include: &[], exclude: &[] };
                    taken.push((*input, part));
                }
            }
        }
        if let (FileActionKind::Copy(copy), Some(input)) = (&self.kind, self.secondary_input) {
            taken.push((input, copy.part()));
        }
        taken
    }
}

impl CopyAction {
    fn part(&self) -> TakenPart<'_> {
        TakenPart {
            path: &self.src,
            wildcard: self.allow_wildcard && has_wildcard(&self.src),
            follow: self.follow_symlink,
            include: &self.include_patterns,
            exclude: &self.exclude_patterns,
        }
    }
}

impl Taken<'_> {
    /// Nothing is selected of an input that an action changes: the result has all of it.
    fn dep(&self) -> Dep {
        if self.is_changed || self.parts.is_empty() {
            return Dep::default();
        }
        let mut paths: Vec<&str> = self.parts.iter().map(|part| part.path).collect();
        // The order is historical in BuildKit.
        paths.sort_unstable_by(|a, b| b.cmp(a));
        let selector = Some(Digest::of(paths.join("\0")));
        Dep { selector, content: Some(ContentRule::new(self.selectors())) }
    }

    /// Plain paths that stand below no other, and all filtered ones, by path.
    fn selectors(&self) -> Vec<ContentSelector> {
        let (filtered, plain): (Vec<_>, Vec<_>) = self.parts.iter().partition(|part| part.is_filtered());
        let paths = |follow: bool| {
            let wanted = plain.iter().filter(|part| part.follow == follow);
            let paths = topmost(wanted.map(|part| part.path.to_owned()).collect());
            paths.into_iter().map(move |path| ContentSelector { follow, ..ContentSelector::new(path) })
        };
        let mut selectors: Vec<ContentSelector> =
            paths(false).chain(paths(true)).chain(filtered.into_iter().map(TakenPart::selector)).collect();
        selectors.sort_by(|a, b| a.path.cmp(&b.path));
        for selector in &mut selectors {
            selector.path = clean_absolute(&selector.path);
        }
        selectors
    }
}

impl TakenPart<'_> {
    fn is_filtered(&self) -> bool {
        self.wildcard || !self.include.is_empty() || !self.exclude.is_empty()
    }

    fn selector(&self) -> ContentSelector {
        ContentSelector {
            path: self.path.to_owned(),
            wildcard: self.wildcard,
            follow: self.follow,
            include: self.include.to_vec(),
            exclude: self.exclude.to_vec(),
        }
    }
}
