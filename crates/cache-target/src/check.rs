//! What attributes a store takes, as data, and the check of what was typed against it.
//!
//! Nothing that was typed is ever ignored: an attribute is honoured, refused with a reason, or unknown.

use crate::nearest::nearest;
use crate::{Attributes, Role, Scheme, TargetError, ValueKind};

/// An attribute that a store takes in one role.
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

    fn check(&self, value: &str) -> Result<(), TargetError> {
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

/// An error unless a scheme takes each of the attributes in this role.
pub(crate) fn check(attributes: &Attributes, role: Role, scheme: &dyn Scheme) -> Result<(), TargetError> {
    let known = scheme.attributes(role);
    for (key, value) in attributes.iter() {
        match known.iter().find(|attribute| attribute.key == key) {
            Some(attribute) => attribute.check(value)?,
            None => return Err(unknown(key, role, scheme)),
        }
    }
    Ok(())
}

fn unknown(key: &str, role: Role, scheme: &dyn Scheme) -> TargetError {
    let keys = || scheme.attributes(role).iter().map(|attribute| attribute.key);
    let kind = scheme.kind();
    let list = || keys().collect::<Vec<_>>().join(", ");
    let of_the_other = scheme.attributes(role.other()).iter().any(|attribute| attribute.key == key);
    let message = if of_the_other {
        format!("{key} is an attribute of a {}; a {role} of type={kind} takes {}", role.other(), list())
    } else if let Some(near) = nearest(key, keys()) {
        format!("type={kind} has no attribute {key} as a {role}; did you mean {near}?")
    } else {
        format!("type={kind} has no attribute {key} as a {role}; it takes {}", list())
    };
    TargetError::Usage { attribute: Some(key.to_owned()), message }
}
