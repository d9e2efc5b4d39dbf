//! The members of a JSON object as protocol buffers write them: what is zero or empty is absent.
//!
//! A member that is not known is found, because it may count in a key.

use serde_json::{Map, Value};

/// The largest number that every reader of JSON has exactly.
const LARGEST_EXACT: u64 = 1 << 53;

/// The members of an object that were not read yet.
pub(crate) struct Members<'a> {
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

/// A member that cannot be read.
#[derive(Debug)]
pub(crate) struct MemberFault {
    /// Where it is: `meta.args[2]`.
    pub(crate) path: String,
    /// Whether it is a number that was rounded, and not something unknown.
    pub(crate) is_rounded: bool,
}

/// How numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Numbers {
    /// They are as they were written.
    Exact,
    /// They went through floating point numbers, which have 53 bits.
    Rounded,
}

impl<'a> Members<'a> {
    pub(crate) fn of(value: &'a Value) -> Result<Self, MemberFault> {
        let object = value.as_object().ok_or_else(MemberFault::unknown)?;
        Ok(Self { object, known: Vec::new() })
    }

    /// A member; the default if it is absent.
    pub(crate) fn get<T: Default>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, MemberFault>,
    ) -> Result<T, MemberFault> {
        Ok(self.some(name, read)?.unwrap_or_default())
    }

    /// A member that may be absent.
    pub(crate) fn some<T>(
        &mut self,
        name: &'static str,
        read: impl FnOnce(&'a Value) -> Result<T, MemberFault>,
    ) -> Result<Option<T>, MemberFault> {
        self.known.push(name);
        let value = self.object.get(name).filter(|value| !value.is_null());
        value.map(read).transpose().map_err(|fault| fault.within(name))
    }

    /// A list; empty if it is absent.
    pub(crate) fn list<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&'a Value) -> Result<T, MemberFault>,
    ) -> Result<Vec<T>, MemberFault> {
        self.get(name, |value| list(value, &read))
    }

    /// Passes over a member that does not count.
    pub(crate) fn skip(&mut self, name: &'static str) {
        self.known.push(name);
    }

    /// # Errors
    /// The first member that was not read.
    pub(crate) fn end(self) -> Result<(), MemberFault> {
        let mut others = self.object.iter().filter(|(name, _)| !self.known.contains(&name.as_str()));
        match others.find(|(_, value)| !value.is_null()) {
            Some((name, _)) => Err(MemberFault::unknown().within(name)),
            None => Ok(()),
        }
    }
}

impl MemberFault {
    pub(crate) fn unknown() -> Self {
        Self { path: String::new(), is_rounded: false }
    }

    /// The fault as its parent sees it.
    pub(crate) fn within(mut self, name: &str) -> Self {
        let is_end = self.path.is_empty() || self.path.starts_with('[');
        self.path = if is_end { format!("{name}{}", self.path) } else { format!("{name}.{}", self.path) };
        self
    }
}

impl Numbers {
    /// A whole number. A large number that may be another one is a fault; whole seconds in nanoseconds are never rounded.
    pub(crate) fn integer(self, value: &Value) -> Result<i64, MemberFault> {
        let number = value.as_i64();
        let is_exact = |number: &i64| {
            self == Self::Exact || number.unsigned_abs() <= LARGEST_EXACT || number % 1_000_000_000 == 0
        };
        match number.filter(is_exact) {
            Some(number) => Ok(number),
            None => Err(MemberFault { path: String::new(), is_rounded: value.is_number() }),
        }
    }
}

pub(crate) fn text(value: &Value) -> Result<String, MemberFault> {
    value.as_str().map(str::to_owned).ok_or_else(MemberFault::unknown)
}

pub(crate) fn flag(value: &Value) -> Result<bool, MemberFault> {
    value.as_bool().ok_or_else(MemberFault::unknown)
}

pub(crate) fn unsigned(value: &Value) -> Result<u32, MemberFault> {
    value.as_u64().and_then(|number| number.try_into().ok()).ok_or_else(MemberFault::unknown)
}

/// The position of an input or output: -1 is none. (An absent one is 0, see [`position_or_first`].)
pub(crate) fn position(value: &Value) -> Result<Option<usize>, MemberFault> {
    match value.as_i64() {
        Some(-1) => Ok(None),
        Some(position) => position.try_into().map(Some).map_err(|_| MemberFault::unknown()),
        None => Err(MemberFault::unknown()),
    }
}

/// The position that a member names: 0 if it is absent.
pub(crate) fn position_or_first(
    members: &mut Members<'_>,
    name: &'static str,
) -> Result<Option<usize>, MemberFault> {
    Ok(members.some(name, position)?.unwrap_or(Some(0)))
}

pub(crate) fn list<'a, T>(
    value: &'a Value,
    read: impl Fn(&'a Value) -> Result<T, MemberFault>,
) -> Result<Vec<T>, MemberFault> {
    let items = value.as_array().ok_or_else(MemberFault::unknown)?.iter().enumerate();
    items.map(|(at, item)| read(item).map_err(|fault| fault.within(&format!("[{at}]")))).collect()
}
