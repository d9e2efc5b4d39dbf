//! What each copy of a step put into a layer, by one reading of the layer.

use std::collections::BTreeSet;

use cache_keys::{Entry, EntryHasher, EntryKind, Header, path_match};

use crate::content_check::check::FlawKind;
use crate::content_check::compare::Comparison;
use crate::copying::backward::copied_layer::{CopiedLayer, Lost};
use crate::copying::backward::found_source::FoundSource;
use crate::copying::backward::headers;
use crate::copying::backward::readings::{PlacedCopy, Reading};
use crate::copying::cannot_carry_out::CannotCarryOut;
use crate::copying::filter::{CopyFilter, FilterMatches};
use crate::copying::modes::ModeChange;
use crate::copying::owners::owner_numbers;
use crate::copying::paths::{below, is_at_or_below, is_hidden, join};

/// What the copies put into a layer.
pub(crate) struct Claims {
    /// The sources, by the positions of the inputs.
    pub(crate) sources: Vec<FoundSource>,
    pub(crate) lost: BTreeSet<Lost>,
    /// What no copy can have written.
    pub(crate) comparison: Comparison,
    /// Whether files of the layers below stand where a folder was copied to. If the folder has them, unchanged, the layer lacks them.
    pub(crate) has_unchanged: bool,
    /// Whether something may come from a copy, but is in no source that was found. So no content proves it.
    pub(crate) has_unproven: bool,
    /// Folders for which no copy has found anything below yet.
    waiting: BTreeSet<Vec<u8>>,
}

/// A copy with the reading that was chosen for it.
struct ClaimingCopy<'a> {
    placed: &'a PlacedCopy<'a>,
    reading: &'a Reading,
    is_sent: bool,
    owner: Option<(u32, u32)>,
    mode: ModeChange,
    filter: CopyFilter,
    /// The folders above the entry that is looked at, with what the filter says of them.
    way: Vec<(Vec<u8>, FilterMatches)>,
    /// Folders that the copy makes if something below them is copied: their paths, entries and sources.
    waiting: Vec<(Vec<u8>, Entry, Vec<u8>)>,
}

/// What a copy says of an entry.
enum Claim {
    /// It is not from this copy.
    No,
    /// It is a folder on the way to what the copy wrote.
    Way,
    /// It is from this path of the source.
    From(Vec<u8>),
    /// It is from a folder of the source, as this path, if the filter takes something below it.
    Folder(Vec<u8>),
    /// It can be from this copy. From where is lost.
    Lost(Lost),
}

impl Claims {
    /// Reads a layer. `with_below` adds to copied folders what the layers below have in their place.
    pub(crate) fn new(
        copied: &CopiedLayer<'_>,
        copies: &[PlacedCopy<'_>],
        choice: &[Option<&Reading>],
        with_below: bool,
    ) -> Result<Self, CannotCarryOut> {
        let sources = copied.inputs.iter().map(|input| FoundSource::new(input.is_sent)).collect();
        let comparison = Comparison::default();
        let waiting = BTreeSet::new();
        let mut claims = Self {
            sources,
            lost: BTreeSet::new(),
            comparison,
            has_unchanged: false,
            has_unproven: false,
            waiting,
        };
        claims.comparison.check_shape(copied.layer);
        let mut claiming = Vec::new();
        for (placed, reading) in copies.iter().zip(choice) {
            let Some(reading) = reading else {
                // Nothing stands where the copy should be.
                claims.comparison.add(&placed.dest, FlawKind::Missing);
                continue;
            };
            let is_sent = copied.inputs.get(placed.input).is_some_and(|input| input.is_sent);
            claiming.push(ClaimingCopy::new(placed, reading, is_sent, copied)?);
        }
        for (path, entry) in copied.layer.entries() {
            claims.claim(&path, entry, copied, &mut claiming)?;
        }
        let hidden = copied.layer.whiteouts().chain(copied.layer.opaque_folders());
        hidden.for_each(|path| claims.comparison.add(path, FlawKind::Planted));
        let waiting = std::mem::take(&mut claims.waiting);
        waiting.iter().for_each(|folder| claims.comparison.add(folder, FlawKind::Planted));
        for copy in &mut claiming {
            claims.take_top(copy);
            claims.take_below(copy, copied, with_below)?;
        }
        Ok(claims)
    }

    fn claim(
        &mut self,
        path: &[u8],
        entry: &Entry,
        copied: &CopiedLayer<'_>,
        copies: &mut [ClaimingCopy<'_>],
    ) -> Result<(), CannotCarryOut> {
        let mut claimed = Vec::new();
        let (mut is_on_the_way, mut is_waiting) = (false, false);
        for (position, copy) in copies.iter_mut().enumerate() {
            match copy.claim(path, entry)? {
                Claim::No => {}
                Claim::Way => is_on_the_way = true,
                Claim::Folder(source) => {
                    is_waiting = true;
                    copy.waiting.push((path.to_vec(), entry.clone(), source));
                }
                claim => claimed.push((position, claim)),
            }
        }
        if claimed.len() > 1 {
            self.lost.insert(Lost::Overlap);
        }
        // A file that is named comes before the folders into which it may have been copied.
        let is_file = |(position, _): &(usize, Claim)| {
            copies.get(*position).is_some_and(|copy| matches!(copy.reading, Reading::File(_)))
        };
        let chosen = claimed.iter().position(is_file).unwrap_or_default();
        let Some((position, claim)) = claimed.into_iter().nth(chosen) else {
            match (is_on_the_way && entry.is_folder(), is_waiting) {
                (true, _) => self.check_way(path, entry, copied, copies),
                (false, true) => drop(self.waiting.insert(path.to_vec())),
                (false, false) if is_unchanged_folder(path, entry, copied) => {}
                (false, false) => self.comparison.add(path, FlawKind::Planted),
            }
            return Ok(());
        };
        let Some(copy) = copies.get_mut(position) else { return Ok(()) };
        match claim {
            Claim::From(source) => {
                for (folder, entry, from) in std::mem::take(&mut copy.waiting) {
                    if is_at_or_below(path, &folder) {
                        self.waiting.remove(&folder);
                        self.take(copied, copy, &folder, &entry, &from);
                    }
                }
                self.take(copied, copy, path, entry, &source);
            }
            Claim::Lost(lost) => {
                self.lost.insert(lost);
                self.has_unproven = true;
            }
            Claim::No | Claim::Way | Claim::Folder(_) => {}
        }
        Ok(())
    }

    /// A folder on the way to a copy has the header that it has below, or the one that the copy gives to folders that it makes.
    fn check_way(
        &mut self,
        path: &[u8],
        entry: &Entry,
        copied: &CopiedLayer<'_>,
        copies: &[ClaimingCopy<'_>],
    ) {
        if let Some(existing) = copied.below.get(path).filter(|existing| existing.is_folder()) {
            return self.comparison.check_header(path, entry, existing.header());
        }
        let mut made = copies
            .iter()
            .filter(|copy| is_at_or_below(&copy.placed.dest, path))
            .map(ClaimingCopy::made_folder);
        // The first copy that needs a folder makes it.
        if let Some(header) = made.next() {
            self.comparison.check_header(path, entry, &header);
        }
    }

    /// Takes an entry of the layer for a copy of this path of a source.
    fn take(
        &mut self,
        copied: &CopiedLayer<'_>,
        copy: &ClaimingCopy<'_>,
        path: &[u8],
        entry: &Entry,
        source: &[u8],
    ) {
        copy.check_header(path, entry, &mut self.comparison);
        // The bytes are kept of small files. If one of them is all that was copied, all permissions can be tried.
        let bytes = copied.layer.content(path).filter(|_| copied.op.actions.len() == 1);
        let all = bytes.filter(|_| matches!(copy.reading, Reading::File(_)));
        let candidates = headers::of_source(&copy.mode, copy.source_owner(), entry, all.is_some());
        if candidates.is_empty() {
            self.comparison.add(path, FlawKind::Mode);
        }
        let is_changed = copy.mode != ModeChange::Keep && !matches!(entry.kind(), EntryKind::Symlink { .. });
        if is_changed && all.is_none() {
            self.lost.insert(Lost::Modes);
        }
        if copy.owner.is_some() && !copy.is_sent {
            self.lost.insert(Lost::Owners);
        }
        let under = |header: &Header| match all {
            Some(bytes) => Some(file_of(bytes, header)),
            None => entry.under(header),
        };
        let entries: Vec<Entry> = candidates.iter().filter_map(under).collect();
        if entries.len() < candidates.len() {
            self.lost.insert(Lost::Modes);
        }
        self.has_unproven |= entries.is_empty();
        if let Some(found) = self.sources.get_mut(copy.placed.input) {
            found.insert(source, entries);
        }
    }

    /// The copied folder itself: its copy has the header of a folder that was made, or that was there.
    fn take_top(&mut self, copy: &ClaimingCopy<'_>) {
        let top = copy.placed.source();
        if *copy.reading != Reading::Folder || top.is_empty() {
            return;
        }
        if !copy.is_sent {
            self.lost.insert(Lost::Owners);
        }
        let Some(found) = self.sources.get_mut(copy.placed.input) else { return };
        let entries = headers::of_top_folder().map(|header| Entry::of(header, EntryKind::Folder)).collect();
        found.insert(&top, entries);
    }

    /// What the layers below have in the place of a copy, and the layer lacks: unchanged files are in no layer twice.
    fn take_below(
        &mut self,
        copy: &mut ClaimingCopy<'_>,
        copied: &CopiedLayer<'_>,
        with_below: bool,
    ) -> Result<(), CannotCarryOut> {
        let is_absent =
            |path: &[u8]| copied.layer.tree().get(path).is_none() && !is_hidden(copied.layer, path);
        match copy.reading {
            Reading::FileBelow(path) => {
                let entry = copied.below.get(path).filter(|_| is_absent(path));
                match entry {
                    Some(entry) => self.take(copied, copy, path, entry, &copy.placed.source()),
                    None => self.comparison.add(path, FlawKind::Missing),
                }
            }
            Reading::Folder => {
                copy.way.clear();
                for (path, entry) in copied.below.below(&copy.placed.dest) {
                    if !is_absent(&path) {
                        continue;
                    }
                    let Claim::From(source) = copy.claim(&path, entry)? else { continue };
                    self.has_unchanged = true;
                    if with_below {
                        self.take(copied, copy, &path, entry, &source);
                    }
                }
                if self.has_unchanged {
                    self.lost.insert(Lost::Unchanged);
                }
            }
            _ => {}
        }
        Ok(())
    }
}

impl<'a> ClaimingCopy<'a> {
    fn new(
        placed: &'a PlacedCopy<'a>,
        reading: &'a Reading,
        is_sent: bool,
        copied: &CopiedLayer<'_>,
    ) -> Result<Self, CannotCarryOut> {
        let copy = placed.copy;
        let mode = ModeChange::of(copy.mode, &copy.mode_str);
        Ok(Self {
            placed,
            reading,
            is_sent,
            owner: owner_numbers(copy.owner.as_ref(), copied.accounts)?,
            mode: mode.ok_or_else(|| CannotCarryOut::Mode(copy.mode_str.clone()))?,
            filter: CopyFilter::new(copy)?,
            way: Vec::new(),
            waiting: Vec::new(),
        })
    }

    /// What the copy says of an entry of the layer. Entries come in order.
    fn claim(&mut self, path: &[u8], entry: &Entry) -> Result<Claim, CannotCarryOut> {
        let dest = &self.placed.dest;
        let Some(inside) = below(path, dest) else {
            return Ok(if is_at_or_below(dest, path) { Claim::Way } else { Claim::No });
        };
        match self.reading {
            Reading::File(file) if path == file => Ok(Claim::From(self.placed.source())),
            Reading::File(_) | Reading::FileBelow(_) => {
                Ok(if inside.is_empty() { Claim::Way } else { Claim::No })
            }
            _ if inside.is_empty() && entry.is_folder() => Ok(Claim::Way),
            Reading::Folder => self.claim_in_folder(inside, entry),
            Reading::Names { folder, pattern } => {
                let is_named = !entry.is_folder() && path_match(pattern, inside).unwrap_or_default();
                Ok(if is_named { Claim::From(join(folder, inside)) } else { Claim::No })
            }
            Reading::Anything => Ok(Claim::Lost(match self.placed.copy.attempt_unpack {
                true => Lost::Archive,
                false => Lost::Names,
            })),
        }
    }

    fn claim_in_folder(&mut self, inside: &[u8], entry: &Entry) -> Result<Claim, CannotCarryOut> {
        while self.way.last().is_some_and(|(folder, _)| !is_at_or_below(inside, folder)) {
            self.way.pop();
        }
        let matches = self.filter.check(inside, self.way.last().map(|(_, matches)| matches))?;
        let is_included = matches.is_included;
        if entry.is_folder() {
            self.way.push((inside.to_vec(), matches));
        }
        let source = join(&self.placed.source(), inside);
        Ok(match (is_included, entry.is_folder()) {
            (true, _) => Claim::From(source),
            // It is made when something below it is copied.
            (false, true) => Claim::Folder(source),
            (false, false) => Claim::No,
        })
    }

    fn made_folder(&self) -> Header {
        let (uid, gid) = self.owner.unwrap_or_default();
        Header::new(self.mode.made_folder(), uid, gid)
    }

    /// The owner of everything in the source; `None` if each entry has its own, which its copy keeps.
    fn source_owner(&self) -> Option<(u32, u32)> {
        (self.is_sent || self.owner.is_some()).then_some((0, 0))
    }

    /// Checks what the copy gives to an entry, whatever it was in the source.
    fn check_header(&self, path: &[u8], entry: &Entry, comparison: &mut Comparison) {
        let found = entry.header();
        let (uid, gid) = match (self.owner, self.is_sent) {
            (Some(owner), _) => owner,
            (None, true) => (0, 0),
            (None, false) => (found.uid, found.gid),
        };
        let is_link = matches!(entry.kind(), EntryKind::Symlink { .. });
        let mode = match self.mode {
            ModeChange::Set(mode) if !is_link => mode,
            _ => found.mode,
        };
        let xattrs = found.xattrs.iter().filter(|_| !self.is_sent);
        let xattrs: Vec<_> = xattrs.map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        comparison.check_header(path, entry, &Header::new(mode, uid, gid).with_xattrs(xattrs));
    }
}

/// Whether a folder is as it is below. An archive names the folders above its entries.
fn is_unchanged_folder(path: &[u8], entry: &Entry, copied: &CopiedLayer<'_>) -> bool {
    let existing = copied.below.get(path).filter(|existing| existing.is_folder());
    entry.is_folder() && existing.is_some_and(|existing| existing.header() == entry.header())
}

fn file_of(bytes: &[u8], header: &Header) -> Entry {
    let size = bytes.len() as u64;
    let mut hasher = EntryHasher::new(header, &EntryKind::File { size });
    hasher.update(bytes);
    Entry::file(header.clone(), size, hasher.finish())
}
