//! Faults of a server, and the choice of the requests that they affect.
//!
//! It is data; `server` and `wire` carry it out.

use std::time::{Duration, SystemTime};

use crate::message::Answer;

/// Chooses requests by method, part of the target, and count.
#[derive(Clone, Debug)]
pub struct On {
    method: Option<String>,
    part: String,
    first: u64,
    times: u64,
}

impl On {
    /// The first request with this method whose target contains the part.
    pub fn new(method: &str, part: &str) -> Self {
        Self { method: Some(method.to_owned()), part: part.to_owned(), first: 1, times: 1 }
    }

    /// The first request of any method whose target contains the part.
    pub fn any(part: &str) -> Self {
        Self { method: None, part: part.to_owned(), first: 1, times: 1 }
    }

    /// Starts with the nth request that matches, from 1, counted from the moment at which the fault is set.
    pub fn nth(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Affects this many matching requests in a row.
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// Affects every matching request from the first on.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn matches(&self, method: &str, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && target.contains(&self.part)
    }
}

/// A fault. Those that name the honest answer change it after the service has handled the request.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Closes the connection after the request is read. The service does not get it.
    CutBeforeStatus,
    /// Closes the connection instead of answering, after the service has handled the request.
    LoseAnswer,
    /// Closes the connection in the middle of the header fields of the honest answer.
    CutInHeaders,
    /// Closes the connection after this many bytes of the honest answer's body.
    CutBody(usize),
    /// Stops after this many bytes of the honest answer's body, and keeps the connection open.
    StallBody(usize),
    /// Closes the connection after this many bytes of the request's body. The service gets these bytes.
    CutRequestBody(usize),
    /// Reads the request and never answers.
    Silence,
    /// Waits before the honest answer.
    Delay(Duration),
    /// Answers in place of the service.
    Answer(Answer),
    /// Answers in place of the service before the request's body is read, and closes the connection.
    AnswerEarly(Answer),
    /// Sets a header field of the honest answer, or removes it.
    Header(&'static str, Option<String>),
    /// Changes one byte of the honest answer's body.
    FlipByte(usize),
    /// Shortens the body by this many bytes. Content-Length is that of the shorter body.
    Shorten(usize),
    /// Lengthens the body by this many bytes. Content-Length is that of the longer body.
    Lengthen(usize),
    /// Sends this many bytes after the body, which Content-Length does not count.
    Overrun(usize),
    /// Sends the honest answer in chunks, without Content-Length.
    Chunked,
    /// Answers a request for a range with 200 and the whole body.
    IgnoreRange,
    /// Sends the honest answer's body a byte at a time, with this pause after each.
    Trickle(Duration),
    /// Sends white space after the honest answer's body: until Content-Length is this, or in chunks without end.
    Endless(Option<u64>),
}

impl Fault {
    /// An answer with this status, without header fields and body.
    pub fn status(status: u16) -> Self {
        Self::Answer(Answer::new(status))
    }

    /// A 429 with a date in Retry-After, which is exact to the second.
    pub fn too_many_until(when: SystemTime) -> Self {
        Self::too_many(&httpdate::fmt_http_date(when))
    }

    /// A 429 with this value of Retry-After.
    pub fn too_many(retry_after: &str) -> Self {
        let answer = Answer::error(429, "TOOMANYREQUESTS", "slow down");
        Self::Answer(answer.with("Retry-After", retry_after))
    }

    /// Whether the service does not get the request.
    pub(crate) fn replaces_service(&self) -> bool {
        matches!(self, Self::CutBeforeStatus | Self::Silence | Self::Answer(_) | Self::AnswerEarly(_))
    }
}

/// The faults that are set.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    on: On,
    matched: u64,
    fault: Fault,
}

impl Script {
    pub(crate) fn push(&mut self, on: On, fault: Fault) {
        self.rules.push(Rule { on, matched: 0, fault });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The faults of a request, in the order in which they were set. Every rule that matches counts it.
    pub(crate) fn next(&mut self, method: &str, target: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for rule in &mut self.rules {
            if rule.on.matches(method, target) {
                rule.matched += 1;
                if rule.matched >= rule.on.first && rule.matched - rule.on.first < rule.on.times {
                    faults.push(rule.fault.clone());
                }
            }
        }
        faults
    }
}
