//! What a command takes from its inputs (BuildKit: `getMountDeps` in `solver/llbsolver/ops/exec.go`).

use cache_model::Digest;

use crate::go_path::{clean_absolute, topmost};
use crate::ops::dep::Dep;
use crate::ops::exec::{ContentCache, ExecOp, Mount, MountKind};
use crate::{ContentRule, ContentSelector};

impl ExecOp {
    /// What the command takes from each of `count` inputs.
    pub(crate) fn deps(&self, count: usize) -> Vec<Dep> {
        let mut mounts: Vec<Vec<&Mount>> = vec![Vec::new(); count];
        for mount in &self.mounts {
            if let Some(list) = mount.taken_input().and_then(|input| mounts.get_mut(input)) {
                list.push(mount);
            }
        }
        mounts.iter().map(|mounts| dep(mounts)).collect()
    }
}

impl Mount {
    /// The input whose files the mount gives the command.
    fn taken_input(&self) -> Option<usize> {
        self.input.filter(|_| matches!(self.kind, MountKind::Bind | MountKind::Cache))
    }

    /// Whether the content of the input may stand for its definition. If the command writes to a part of the input, its result
    /// holds the other parts too, so all of the input counts.
    fn counts_by_content(&self) -> bool {
        let is_whole = clean_absolute(&self.selector) == "/";
        let may_count = self.output.is_none() || self.readonly || is_whole;
        let is_wanted = match self.content_cache {
            ContentCache::Default => self.dest != "/",
            ContentCache::On => true,
            ContentCache::Off => false,
        };
        may_count && is_wanted
    }
}

/// What the mounts of one input say about it. The last of them decides whether its content counts, and all of them what of it.
fn dep(mounts: &[&Mount]) -> Dep {
    let Some(last) = mounts.last() else { return Dep::default() };
    let paths: Vec<String> = mounts.iter().map(|mount| clean_absolute(&mount.selector)).collect();
    let selector = Some(Digest::of(paths.join("\0")));
    let content = last.counts_by_content().then(|| {
        // The whole is no link that could be followed.
        let selector = |path: String| ContentSelector { follow: path != "/", ..ContentSelector::new(path) };
        ContentRule::new(topmost(paths).into_iter().map(selector).collect())
    });
    Dep { selector, content }
}
