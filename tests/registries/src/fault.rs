//! What can go wrong with a request, and with which one it does.

use std::time::{Duration, SystemTime};

use crate::message::Answer;

/// Picks requests by method, part of the target, and count.
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

    /// Instead of the first the nth of those that match, from 1; counted from when the fault is set.
    pub fn nth(self, first: u64) -> Self {
        Self { first, ..self }
    }

    /// Not one request but so many in a row of those that match.
    pub fn times(self, times: u64) -> Self {
        Self { times, ..self }
    }

    /// From there on every request that matches.
    pub fn always(self) -> Self {
        self.times(u64::MAX)
    }

    fn matches(&self, method: &str, target: &str) -> bool {
        self.method.as_ref().is_none_or(|wanted| wanted == method) && target.contains(&self.part)
    }
}

/// One way to go wrong. Those that name the honest answer change it after the service did its work.
#[derive(Clone, Debug)]
pub enum Fault {
    /// Closes the connection when the request was read; the service is not asked.
    CutBeforeStatus,
    /// Lets the service do its work, then closes the connection instead of answering.
    LoseAnswer,
    /// Closes the connection amid the header fields of the honest answer.
    CutInHeaders,
    /// Closes the connection after so many bytes of the honest answer's body.
    CutBody(usize),
    /// Falls silent after so many bytes of the honest answer's body, and keeps the connection.
    StallBody(usize),
    /// Closes the connection after so many bytes of the request's body, which the service gets.
    CutRequestBody(usize),
    /// Reads the request and never answers.
    Silence,
    /// Waits before the honest answer.
    Delay(Duration),
    /// Gives this answer; the service is not asked.
    Answer(Answer),
    /// Gives this answer before the request's body is read, and closes the connection.
    AnswerEarly(Answer),
    /// Sets a header field of the honest answer, or takes it away.
    Header(&'static str, Option<String>),
    /// Changes one byte of the honest answer's body.
    FlipByte(usize),
    /// Sends a body that is so many bytes shorter, with the Content-Length of what is sent.
    Shorten(usize),
    /// Sends a body that is so many bytes longer, with the Content-Length of what is sent.
    Lengthen(usize),
    /// Sends so many bytes after the body that Content-Length does not count.
    Overrun(usize),
    /// Sends the honest answer in chunks, without Content-Length.
    Chunked,
    /// Answers a request for a part with 200 and all.
    IgnoreRange,
    /// Sends the honest answer's body a byte at a time, with this pause after each.
    Trickle(Duration),
    /// Sends white space after the honest answer's body: until Content-Length is this, or in chunks without end.
    Endless(Option<u64>),
}

impl Fault {
    /// An answer with this status, and nothing else.
    pub fn status(status: u16) -> Self {
        Self::Answer(Answer::new(status))
    }

    /// 429 that says when to come back, as a date, which is exact to the second.
    pub fn too_many_until(when: SystemTime) -> Self {
        Self::too_many(&httpdate::fmt_http_date(when))
    }

    /// 429 with a value of Retry-After, as it is.
    pub fn too_many(retry_after: &str) -> Self {
        let answer = Answer::error(429, "TOOMANYREQUESTS", "slow down");
        Self::Answer(answer.with("Retry-After", retry_after))
    }

    /// Whether the service is not asked.
    pub(crate) fn replaces_the_service(&self) -> bool {
        matches!(self, Self::CutBeforeStatus | Self::Silence | Self::Answer(_) | Self::AnswerEarly(_))
    }
}

/// The faults to come.
#[derive(Debug, Default)]
pub(crate) struct Script {
    rules: Vec<Rule>,
}

#[derive(Debug)]
struct Rule {
    on: On,
    met: u64,
    fault: Fault,
}

impl Script {
    pub(crate) fn push(&mut self, on: On, fault: Fault) {
        self.rules.push(Rule { on, met: 0, fault });
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The faults of a request, in the order in which they were set. Every rule that matches counts it.
    pub(crate) fn next(&mut self, method: &str, target: &str) -> Vec<Fault> {
        let mut faults = Vec::new();
        for rule in &mut self.rules {
            if rule.on.matches(method, target) {
                rule.met += 1;
                if rule.met >= rule.on.first && rule.met - rule.on.first < rule.on.times {
                    faults.push(rule.fault.clone());
                }
            }
        }
        faults
    }
}
