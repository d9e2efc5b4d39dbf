//! One operation, from its JSON form (BuildKit: `solver/pb/json.go`).
//!
//! An operation that is not fully known is kept as unknown, so that all others can be explained.

use cache_keys::{DiffOp, MergeOp, NoKey, Op, SourceOp};
use cache_model::Platform;
use serde_json::Value;

use crate::record::exec::exec;
use crate::record::file::file;
use crate::record::members::{MemberFault, Members, Numbers, list, position_or_first, text};

/// The operation in the member `Op` of a step. `is_last` says whether it may be the end of the definition.
pub(crate) fn op(value: &Value, is_last: bool, numbers: Numbers) -> Op {
    let mut members = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let read = match (members.next(), members.next()) {
        (None, _) if is_last => return Op::End,
        (Some((name, value)), None) => known_op(name, value, numbers).map_err(|fault| fault.within(name)),
        _ => Err(MemberFault::unknown().within("Op")),
    };
    read.unwrap_or_else(|fault| Op::Unknown(fault.into()))
}

/// The platform of a step.
pub(crate) fn platform(value: &Value) -> Result<Platform, MemberFault> {
    let mut members = Members::of(value)?;
    let os = members.get("OS", text)?;
    let architecture = members.get("Architecture", text)?;
    let mut platform = Platform::new(&os, &architecture).with_variant(&members.get("Variant", text)?);
    platform.os_version = members.get("OSVersion", text)?;
    platform.os_features = members.list("OSFeatures", text)?;
    members.end()?;
    Ok(platform)
}

fn known_op(name: &str, value: &Value, numbers: Numbers) -> Result<Op, MemberFault> {
    match name {
        "exec" => Ok(Op::Exec(Box::new(exec(value, numbers)?))),
        "file" => Ok(Op::File(file(value, numbers)?)),
        "source" => Ok(Op::Source(source(value)?)),
        "merge" => Ok(Op::Merge(merge(value)?)),
        "diff" => Ok(Op::Diff(diff(value)?)),
        _ => Err(MemberFault::unknown()),
    }
}

fn source(value: &Value) -> Result<SourceOp, MemberFault> {
    let mut members = Members::of(value)?;
    let attributes = |value: &Value| {
        let attributes = value.as_object().ok_or_else(MemberFault::unknown)?;
        attributes.iter().map(|(name, value)| Ok((name.clone(), text(value)?))).collect()
    };
    let source = SourceOp {
        identifier: members.get("identifier", text)?,
        attributes: members.get("attrs", attributes)?,
    };
    members.end()?;
    Ok(source)
}

fn merge(value: &Value) -> Result<MergeOp, MemberFault> {
    let mut members = Members::of(value)?;
    let input = |value| side(value)?.ok_or_else(MemberFault::unknown);
    let merge = MergeOp { inputs: members.get("inputs", |value| list(value, input))? };
    members.end()?;
    Ok(merge)
}

fn diff(value: &Value) -> Result<DiffOp, MemberFault> {
    let mut members = Members::of(value)?;
    let lower = members.some("lower", side)?.ok_or_else(MemberFault::unknown)?;
    let upper = members.some("upper", side)?.ok_or_else(MemberFault::unknown)?;
    members.end()?;
    Ok(DiffOp { lower, upper })
}

/// An input of a merge or of a difference.
fn side(value: &Value) -> Result<Option<usize>, MemberFault> {
    let mut members = Members::of(value)?;
    let input = position_or_first(&mut members, "input")?;
    members.end()?;
    Ok(input)
}

impl From<MemberFault> for NoKey {
    fn from(fault: MemberFault) -> Self {
        if fault.is_rounded {
            Self::RoundedNumber { field: fault.path }
        } else {
            Self::UnknownPart { part: fault.path }
        }
    }
}
