//! The records of all sources, as each source's own rule reads them, and what is left of them while they are merged.

use cache_model::arena::{Idx, IndexVec, Interner};
use cache_model::{AddError, Graph, LinkRef, RecordDigest, Timestamp};

use crate::index::{DigestIx, LinkIx, PartIx, SelectorIx, SourceIx, StackIx};
use crate::layer_table::LayerTable;
use crate::{EditError, Source};

/// The most parts, links or results; a little below the range of an index.
const CAPACITY: usize = (u32::MAX - 64) as usize;

/// The empty selector.
pub(crate) fn whole() -> SelectorIx {
    SelectorIx::new(0)
}

/// The records of all sources. A record of a source is a *part* of a record of their union.
pub(crate) struct Parts {
    pub(crate) digests: Interner<DigestIx, RecordDigest>,
    pub(crate) selectors: Interner<SelectorIx, Box<str>>,
    parts: IndexVec<PartIx, Part>,
    links: IndexVec<LinkIx, PartLink>,
    results: Vec<PartResult>,
    /// The last part with a digest; each leads to the one before it.
    last_with: IndexVec<DigestIx, Option<PartIx>>,
}

/// A record of a source.
pub(crate) struct Part {
    pub(crate) source: SourceIx,
    pub(crate) digest: DigestIx,
    /// How many inputs it has.
    pub(crate) inputs: u32,
    /// Whether it had, as it was read, neither inputs nor results. A link to all of it then stands for content.
    pub(crate) is_content: bool,
    /// Whether it was removed, since an input has lost all links.
    pub(crate) is_gone: bool,
    /// Whether it gave up its results, since another source's run won.
    pub(crate) is_outvoted: bool,
    links_start: u32,
    results_start: u32,
    /// How many links led to it, as it was read.
    dependents: u32,
    last_dependent: Option<LinkIx>,
    previous_with_digest: Option<PartIx>,
}

/// A link of a part to a part of the same source.
#[derive(Clone, Copy)]
pub(crate) struct PartLink {
    /// The part that is linked to.
    pub(crate) source: PartIx,
    /// The part that has the link.
    pub(crate) target: PartIx,
    pub(crate) selector: SelectorIx,
    /// The position of the input.
    pub(crate) input: u32,
    /// Whether the link was removed.
    pub(crate) is_cut: bool,
    previous_dependent: Option<LinkIx>,
}

/// A result with layers.
#[derive(Clone, Copy)]
pub(crate) struct PartResult {
    pub(crate) created_at: Timestamp,
    pub(crate) stack: StackIx,
}

impl Parts {
    /// Reads the graph of each source.
    pub(crate) fn read(sources: &[Source<'_>], layers: &LayerTable) -> Result<Self, EditError> {
        let mut selectors = Interner::new();
        selectors.intern("", |_| Box::default());
        let mut parts = Self {
            digests: Interner::new(),
            selectors,
            parts: IndexVec::new(),
            links: IndexVec::new(),
            results: Vec::new(),
            last_with: IndexVec::new(),
        };
        for (source, of) in (0..).map(SourceIx::new).zip(sources) {
            parts.append(source, &of.chains.graph()?, layers)?;
        }
        Ok(parts)
    }

    fn append(&mut self, source: SourceIx, graph: &Graph<'_>, layers: &LayerTable) -> Result<(), EditError> {
        let fits = |have: usize, more: usize| have.saturating_add(more) < CAPACITY;
        if !fits(self.parts.len(), graph.len()) || !fits(self.links.len(), graph.links_len()) {
            return Err(AddError::Full.into());
        }
        let first = self.parts.len();
        for record in graph.records() {
            let target = self.parts.next_index();
            let (links_start, results_start) = (position(self.links.len()), position(self.results.len()));
            let mut inputs = 0;
            for links in record.inputs() {
                for LinkRef { source, selector, .. } in links {
                    let source = PartIx::new(first + source.position());
                    let selector = self.selector(selector);
                    let previous_dependent = self.parts[source].last_dependent;
                    let link = PartLink {
                        source,
                        target,
                        selector,
                        input: inputs,
                        is_cut: false,
                        previous_dependent,
                    };
                    self.parts[source].last_dependent = Some(self.links.push(link));
                    self.parts[source].dependents += 1;
                }
                inputs += 1;
            }
            for result in record.results() {
                // A result without layers serves no build.
                if let Some(stack) = result.top().and_then(|top| layers.stack_of(source, top)) {
                    self.results.push(PartResult { created_at: result.created_at(), stack });
                }
            }
            if !fits(self.results.len(), 0) {
                return Err(AddError::Full.into());
            }
            let (digest, is_new) = self.digests.intern(record.digest(), RecordDigest::clone);
            if is_new {
                self.last_with.push(None);
            }
            let is_content = inputs == 0 && self.results.len() == results_start as usize;
            let previous_with_digest = self.last_with[digest].replace(target);
            self.parts.push(Part {
                source,
                digest,
                inputs,
                is_content,
                is_gone: false,
                is_outvoted: false,
                links_start,
                results_start,
                dependents: 0,
                last_dependent: None,
                previous_with_digest,
            });
        }
        Ok(())
    }

    fn selector(&mut self, text: &str) -> SelectorIx {
        if text.is_empty() { whole() } else { self.selectors.intern(text, |text| text.into()).0 }
    }

    /// How many parts there are, those that are gone included.
    pub(crate) fn len(&self) -> usize {
        self.parts.len()
    }

    /// How many links there are, those that were cut included.
    pub(crate) fn links_len(&self) -> usize {
        self.links.len()
    }

    /// All parts, those that are gone included.
    pub(crate) fn indices(&self) -> impl Iterator<Item = PartIx> + use<> {
        self.parts.indices()
    }

    pub(crate) fn of(&self, part: PartIx) -> &Part {
        &self.parts[part]
    }

    /// The links of a part that are left, with their indices, in the order of its inputs.
    pub(crate) fn links(&self, part: PartIx) -> impl Iterator<Item = (LinkIx, &PartLink)> {
        let start = self.parts[part].links_start as usize;
        let end = self.next(part).map_or(self.links.len(), |next| next.links_start as usize);
        (start..end).map(LinkIx::new).map(|link| (link, &self.links[link])).filter(|(_, link)| !link.is_cut)
    }

    /// The links to a part that are left.
    pub(crate) fn dependents(&self, part: PartIx) -> impl Iterator<Item = &PartLink> {
        let last = self.parts[part].last_dependent;
        let links = std::iter::successors(last, |link| self.links[*link].previous_dependent);
        links.map(|link| &self.links[link]).filter(|link| !link.is_cut && !self.parts[link.target].is_gone)
    }

    /// The work of going through the links of a part.
    pub(crate) fn links_work(&self, part: PartIx) -> usize {
        let start = self.parts[part].links_start as usize;
        self.next(part).map_or(self.links.len(), |next| next.links_start as usize) - start + 1
    }

    /// The work of going through the links to a part.
    pub(crate) fn dependents_work(&self, part: PartIx) -> usize {
        self.parts[part].dependents as usize + 1
    }

    /// The results of a part that are left, newest first.
    pub(crate) fn results(&self, part: PartIx) -> &[PartResult] {
        if self.parts[part].is_outvoted || self.parts[part].is_gone { &[] } else { self.read_results(part) }
    }

    /// The results of a part, as they were read, newest first.
    pub(crate) fn read_results(&self, part: PartIx) -> &[PartResult] {
        let start = self.parts[part].results_start as usize;
        let end = self.next(part).map_or(self.results.len(), |next| next.results_start as usize);
        self.results.get(start..end).unwrap_or_default()
    }

    /// The parts with a digest, those that are gone included.
    pub(crate) fn with_digest(&self, digest: DigestIx) -> impl Iterator<Item = PartIx> {
        std::iter::successors(self.last_with[digest], |part| self.parts[*part].previous_with_digest)
    }

    /// Whether a link has no selector and leads to a record that had, as it was read, neither inputs nor results:
    /// BuildKit keys the content of copied files so.
    pub(crate) fn is_content(&self, link: &PartLink) -> bool {
        link.selector == whole() && self.parts[link.source].is_content
    }

    pub(crate) fn cut(&mut self, link: LinkIx) {
        self.links[link].is_cut = true;
    }

    pub(crate) fn remove(&mut self, part: PartIx) {
        self.parts[part].is_gone = true;
    }

    /// Gives up all results of a part.
    pub(crate) fn outvote(&mut self, part: PartIx) {
        self.parts[part].is_outvoted = true;
    }

    fn next(&self, part: PartIx) -> Option<&Part> {
        self.parts.lookup(PartIx::new(part.position() + 1))
    }
}

/// A position below [`CAPACITY`].
fn position(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}
