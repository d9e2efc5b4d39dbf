//! The description of an attribute: its key, the kind of its value, and whether it is honoured.
//!
//! No attribute is known here. Stores list theirs as constants.

use crate::error::TargetError;
use crate::value::ValueKind;

/// An attribute of a target in one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Attribute {
    /// The key, in lower case.
    pub key: &'static str,
    /// The kind that its value has to be of.
    pub value: ValueKind,
    /// Whether it is honoured.
    pub support: Support,
}

/// Whether an attribute is honoured. A malformed value is an error in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Support {
    /// Every value is.
    Honoured,
    /// No value is, for this reason.
    Refused(&'static str),
    /// Only the first value is, since it asks for what happens anyway. All others are refused for the second, the reason.
    Only(&'static str, &'static str),
}

impl Attribute {
    /// An attribute that is honoured.
    pub const fn new(key: &'static str, value: ValueKind) -> Self {
        Self { key, value, support: Support::Honoured }
    }

    /// An attribute that is known, but refused for a reason.
    pub const fn refused(key: &'static str, value: ValueKind, reason: &'static str) -> Self {
        Self { key, value, support: Support::Refused(reason) }
    }

    /// An attribute of which one value is honoured, and all others are refused for a reason.
    pub const fn only(
        key: &'static str,
        value: ValueKind,
        honoured: &'static str,
        reason: &'static str,
    ) -> Self {
        Self { key, value, support: Support::Only(honoured, reason) }
    }

    /// An error unless the value is of the right kind, and honoured.
    pub(crate) fn check(&self, value: &str) -> Result<(), TargetError> {
        self.value.check(self.key, value)?;
        match self.support {
            Support::Honoured => Ok(()),
            Support::Only(honoured, _) if self.value.same(value, honoured) => Ok(()),
            Support::Refused(reason) | Support::Only(_, reason) => {
                Err(TargetError::refused(self.key, value, reason))
            }
        }
    }
}
