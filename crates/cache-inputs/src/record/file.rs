//! Actions on files, from the JSON form of their protocol buffers (BuildKit: `solver/pb/ops.proto`, `FileOp`, and `json.go`).

use cache_keys::{
    CopyAction, FileAction, FileActionKind, FileOp, MkdirAction, MkfileAction, Owner, OwnerPart, RmAction,
};
use data_encoding::BASE64;
use serde_json::Value;

use crate::record::members::{MemberFault, Members, Numbers, flag, position_or_first, text, unsigned};

pub(crate) fn file(value: &Value, numbers: Numbers) -> Result<FileOp, MemberFault> {
    let mut members = Members::of(value)?;
    let file = FileOp { actions: members.list("actions", |value| action(value, numbers))? };
    members.end()?;
    Ok(file)
}

fn action(value: &Value, numbers: Numbers) -> Result<FileAction, MemberFault> {
    let mut members = Members::of(value)?;
    let action = FileAction {
        input: position_or_first(&mut members, "input")?,
        secondary_input: position_or_first(&mut members, "secondaryInput")?,
        output: position_or_first(&mut members, "output")?,
        kind: members.some("Action", |value| kind(value, numbers))?.unwrap_or(FileActionKind::Unrecorded),
    };
    members.end()?;
    Ok(action)
}

fn kind(value: &Value, numbers: Numbers) -> Result<FileActionKind, MemberFault> {
    let mut members = Members::of(value)?;
    let copy = members.some("copy", |value| copy(value, numbers))?.map(FileActionKind::Copy);
    let mkfile = members.some("mkfile", |value| mkfile(value, numbers))?.map(FileActionKind::Mkfile);
    let mkdir = members.some("mkdir", |value| mkdir(value, numbers))?.map(FileActionKind::Mkdir);
    let rm = members.some("rm", rm)?.map(FileActionKind::Rm);
    members.end()?;
    Ok(copy.or(mkfile).or(mkdir).or(rm).unwrap_or(FileActionKind::Unrecorded))
}

fn copy(value: &Value, numbers: Numbers) -> Result<CopyAction, MemberFault> {
    let mut members = Members::of(value)?;
    let copy = CopyAction {
        src: members.get("src", text)?,
        dest: members.get("dest", text)?,
        owner: members.some("owner", owner)?,
        mode: members.get("mode", |value| numbers.integer(value))?,
        follow_symlink: members.get("followSymlink", flag)?,
        dir_copy_contents: members.get("dirCopyContents", flag)?,
        attempt_unpack: members.get("attemptUnpackDockerCompatibility", flag)?,
        create_dest_path: members.get("createDestPath", flag)?,
        allow_wildcard: members.get("allowWildcard", flag)?,
        allow_empty_wildcard: members.get("allowEmptyWildcard", flag)?,
        timestamp: members.get("timestamp", |value| numbers.integer(value))?,
        include_patterns: members.list("include_patterns", text)?,
        exclude_patterns: members.list("exclude_patterns", text)?,
        always_replace_existing_dest_paths: members.get("alwaysReplaceExistingDestPaths", flag)?,
        mode_str: members.get("modeStr", text)?,
        required_paths: members.list("required_paths", text)?,
    };
    members.end()?;
    Ok(copy)
}

fn mkfile(value: &Value, numbers: Numbers) -> Result<MkfileAction, MemberFault> {
    let mut members = Members::of(value)?;
    let mkfile = MkfileAction {
        path: members.get("path", text)?,
        mode: members.get("mode", |value| numbers.integer(value))?,
        data: members.get("data", data)?,
        owner: members.some("owner", owner)?,
        timestamp: members.get("timestamp", |value| numbers.integer(value))?,
    };
    members.end()?;
    Ok(mkfile)
}

fn mkdir(value: &Value, numbers: Numbers) -> Result<MkdirAction, MemberFault> {
    let mut members = Members::of(value)?;
    let mkdir = MkdirAction {
        path: members.get("path", text)?,
        mode: members.get("mode", |value| numbers.integer(value))?,
        make_parents: members.get("makeParents", flag)?,
        owner: members.some("owner", owner)?,
        timestamp: members.get("timestamp", |value| numbers.integer(value))?,
    };
    members.end()?;
    Ok(mkdir)
}

fn rm(value: &Value) -> Result<RmAction, MemberFault> {
    let mut members = Members::of(value)?;
    let rm = RmAction {
        path: members.get("path", text)?,
        allow_not_found: members.get("allowNotFound", flag)?,
        allow_wildcard: members.get("allowWildcard", flag)?,
    };
    members.end()?;
    Ok(rm)
}

fn owner(value: &Value) -> Result<Owner, MemberFault> {
    let mut members = Members::of(value)?;
    let owner = Owner { user: members.some("user", owner_part)?, group: members.some("group", owner_part)? };
    members.end()?;
    Ok(owner)
}

fn owner_part(value: &Value) -> Result<OwnerPart, MemberFault> {
    let mut members = Members::of(value)?;
    // The number 0 is absent.
    let part = members.some("User", name_or_id)?.unwrap_or(OwnerPart::Id(0));
    members.end()?;
    Ok(part)
}

fn name_or_id(value: &Value) -> Result<OwnerPart, MemberFault> {
    let mut members = Members::of(value)?;
    let name = members.some("byName", |value| {
        let mut members = Members::of(value)?;
        let name = members.get("name", text)?;
        let input = position_or_first(&mut members, "input")?.ok_or_else(MemberFault::unknown)?;
        members.end()?;
        Ok(OwnerPart::Name { name, input })
    })?;
    let id = members.get("byId", unsigned)?;
    members.end()?;
    Ok(name.unwrap_or(OwnerPart::Id(id)))
}

fn data(value: &Value) -> Result<Vec<u8>, MemberFault> {
    let text = value.as_str().ok_or_else(MemberFault::unknown)?;
    BASE64.decode(text.as_bytes()).map_err(|_| MemberFault::unknown())
}
