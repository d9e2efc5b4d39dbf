//! Several cache configs, of a given size together, that are made to be slow to merge coherently.
//!
//! Each is valid and is read fast alone. They disagree so that finding out what a build could mix takes long.

use std::fmt::Write as _;

use clap::ValueEnum;

use super::shapes;
use super::writer::Writer;

/// What makes the sources slow to merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Contention {
    /// A long chain of steps that differ, each copied from twice: every step takes a round
    Stairs,
    /// Such a chain, with another of steps that differ and harm nothing, which are looked at in every round
    Watched,
    /// Such a chain, with steps on top that share links with many others and are closed anew in every round
    Tangled,
    /// Such a chain, with a long chain that a cycle leaves out
    LeftOut,
    /// A long chain of steps that differ, without harm: finding that out takes looking at all later steps
    Line,
    /// One step that differs and is copied from very often; each copy meets all earlier ones
    Wide,
    /// One step that differs and is copied from very often; any two of the copies meet
    Meetings,
    /// A hundred sources of which all but one lose the same step, each with other files alike
    Losers,
}

/// A source while it is written, with the names of its records.
struct Source {
    writer: Writer,
    /// What tells its run from the others.
    run: usize,
}

/// The configs of a contention, with a length of about `bytes` together.
pub(crate) fn configs(contention: Contention, bytes: usize) -> Vec<Vec<u8>> {
    match contention {
        Contention::Stairs => two(bytes, |source| source.stairs(1.0)),
        Contention::Watched => two(bytes, |source| {
            source.stairs(0.1);
            source.line(1.0);
        }),
        Contention::Tangled => two(bytes, |source| {
            let last = source.stairs(0.1);
            shapes::tangle_on(&mut source.writer, 400, last);
        }),
        Contention::LeftOut => left_out(bytes),
        Contention::Line => two(bytes, |source| source.line(1.0)),
        Contention::Wide => [0, 1].map(|run| wide(bytes, run)).into(),
        Contention::Meetings => [0, 1].map(|run| meetings(bytes, run)).into(),
        Contention::Losers => losers(bytes),
    }
}

/// Two sources of the same steps.
fn two<T>(bytes: usize, write: impl Fn(&mut Source) -> T) -> Vec<Vec<u8>> {
    let of = |run| {
        let mut source = Source::new(bytes / 2, run);
        write(&mut source);
        source.writer.finish()
    };
    (0..2).map(of).collect()
}

fn left_out(bytes: usize) -> Vec<Vec<u8>> {
    // The third source makes the two records `p` of the second one record, so that `q` is made from itself.
    let mut cycle = Source::new(bytes / 2, 2);
    let (one, two) = (cycle.root("one"), cycle.root("two"));
    let lower = cycle.step("p", &format!(r#"[{{"link":{one}}}]"#));
    let q = cycle.step("q", &format!(r#"[{{"link":{lower}}}]"#));
    cycle.step("p", &format!(r#"[{{"link":{two}}},{{"link":{q}}}]"#));
    let mut last = q;
    while cycle.writer.has_room(1.0, 0) {
        last = cycle.step(&format!("on {last}"), &format!(r#"[{{"link":{last}}}]"#));
    }
    let mut joining = Source::new(1000, 3);
    let (one, two) = (joining.root("one"), joining.root("two"));
    joining.step("p", &format!(r#"[{{"link":{one}}},{{"link":{two}}}]"#));
    let mut sources = self::two(bytes / 2, |source| source.stairs(1.0));
    sources.extend([cycle.writer.finish(), joining.writer.finish()]);
    sources
}

/// The older run has one copy. The newer has as many as fit, and each is used together with all earlier ones. No step has
/// the older run's copy and another.
fn wide(bytes: usize, run: usize) -> Vec<u8> {
    let mut source = Source::new(if run == 0 { 1000 } else { bytes }, run);
    let base = source.root("base");
    let build = source.differing("build", &format!(r#"[{{"link":{base}}}]"#));
    if run == 0 {
        source.copied("own", build);
        return source.writer.finish();
    }
    let mut last = source.copied("first", build);
    while source.writer.has_room(1.0, 0) {
        let copied = source.copied(&format!("copy {last}"), build);
        last = source.step(&format!("with {last}"), &format!(r#"[{{"link":{last}}}],[{{"link":{copied}}}]"#));
    }
    source.writer.finish()
}

/// The older run has one copy. The newer has many, and a step for each two of them.
fn meetings(bytes: usize, run: usize) -> Vec<u8> {
    let mut source = Source::new(if run == 0 { 1000 } else { bytes }, run);
    let base = source.root("base");
    let build = source.differing("build", &format!(r#"[{{"link":{base}}}]"#));
    if run == 0 {
        source.copied("own", build);
        return source.writer.finish();
    }
    let mut copies: Vec<usize> = Vec::new();
    while source.writer.has_room(1.0, 0) {
        let copied = source.copied(&format!("copy {}", copies.len()), build);
        for other in &copies {
            let name = format!("{copied} and {other}");
            source.step(&name, &format!(r#"[{{"link":{copied}}}],[{{"link":{other}}}]"#));
        }
        copies.push(copied);
    }
    source.writer.finish()
}

/// The newest source has a long chain on one of its copies. The others have eight copies, of which others each are alike.
fn losers(bytes: usize) -> Vec<Vec<u8>> {
    let of = |run: usize| {
        let is_newest = run == 99;
        let mut source = Source::new(if is_newest { bytes.saturating_sub(100_000) } else { 1000 }, run);
        let base = source.root("base");
        let build = source.differing("build", &format!(r#"[{{"link":{base}}}]"#));
        let mut last = build;
        for copy in 0..8 {
            let is_alike = is_newest || run >> copy & 1 == 1;
            let content = if is_alike {
                source.root(&format!("file {copy}"))
            } else {
                source.root(&format!("file {copy} of {run}"))
            };
            last = source.step(
                &format!("copy {copy}"),
                &format!(r#"[{{"selector":"/{copy}","link":{build}}},{{"link":{content}}}]"#),
            );
        }
        while is_newest && source.writer.has_room(1.0, 0) {
            last = source.step(&format!("on {last}"), &format!(r#"[{{"link":{last}}}]"#));
        }
        source.writer.finish()
    };
    (0..100).map(of).collect()
}

impl Source {
    fn new(bytes: usize, run: usize) -> Self {
        Self { writer: Writer::new(bytes), run }
    }

    /// A record without a result; its position.
    fn step(&mut self, name: &str, inputs: &str) -> usize {
        self.writer.record(2.0, format_args!(r#""digest":"{name}","inputs":[{inputs}]"#));
        self.writer.count - 1
    }

    fn root(&mut self, name: &str) -> usize {
        self.writer.record(2.0, format_args!(r#""digest":"{name}""#));
        self.writer.count - 1
    }

    /// A record with a result that each source has another of. Later sources are newer.
    fn differing(&mut self, name: &str, inputs: &str) -> usize {
        let Self { writer, run } = self;
        if writer.layers_count == 0 {
            let _ = write!(writer.layers, r#"{{"blob":"sha256:{run:064x}","parent":-1}}"#);
            writer.layers_count += 1;
        }
        let (second, minute) = (*run % 60, *run / 60);
        writer.record(
            2.0,
            format_args!(
                r#""digest":"{name}","inputs":[{inputs}],"layers":[{{"layer":0,"createdAt":"2024-01-01T00:{minute:02}:{second:02}Z"}}]"#
            ),
        );
        writer.count - 1
    }

    /// A file that is copied out of a step, with its content.
    fn copied(&mut self, name: &str, from: usize) -> usize {
        let content = self.root(&format!("{name}, content of {}", self.run));
        self.step(name, &format!(r#"[{{"selector":"/{name}","link":{from}}},{{"link":{content}}}]"#))
    }

    /// Steps that differ, each made from two files of the one before; the last file.
    fn stairs(&mut self, share: f64) -> usize {
        let base = self.root("base");
        let mut last = base;
        for n in 0.. {
            if !self.writer.has_room(share, 0) {
                break;
            }
            let build =
                self.differing(&format!("b{n}"), &format!(r#"[{{"link":{last}}},{{"link":{base}}}]"#));
            let page = self.copied(&format!("p{n}"), build);
            let content = self.root(&format!("a{n} of {}", self.run));
            last = self.step(
                &format!("q{n}"),
                &format!(r#"[{{"link":{page}}}],[{{"selector":"/a","link":{build}}},{{"link":{content}}}]"#),
            );
        }
        last
    }

    /// Steps that differ, each made from the one before alone. Each is also copied from, but nothing is made from that.
    fn line(&mut self, share: f64) {
        let mut last = self.root("start");
        for n in 0.. {
            if !self.writer.has_room(share, 0) {
                break;
            }
            last = self.differing(&format!("l{n}"), &format!(r#"[{{"link":{last}}}]"#));
            self.step(&format!("c{n}"), &format!(r#"[{{"link":{last}}}]"#));
        }
    }
}
