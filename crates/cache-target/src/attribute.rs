//! An attribute that can be typed, as data: its key, the kind of its value, and whether it is honoured.
//!
//! It knows no store; those that have attributes list them as constants.

use crate::error::TargetError;
use crate::value::ValueKind;

/// An attribute of a target in one role.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attribute {
    /// The key, in lower case.
    pub key: &'static str,
    /// What its value has to be.
    pub value: ValueKind,
    /// Whether it can be honoured.
    pub support: Support,
}

/// Whether an attribute can be honoured. A malformed value is an error whatever stands here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Support {
    /// It can.
    Honoured,
    /// It cannot, for this reason.
    Refused(&'static str),
    /// Only this value, which asks for what happens anyway; any other is refused, for this reason.
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

    /// An attribute of which only one value can be honoured, and any other is refused for a reason.
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
