//! Actions on files, and what of them is in their key (BuildKit: `solver/llbsolver/ops/file.go`).

use data_encoding::BASE64;

use crate::go_path::base;
use crate::ops::hashed::{Object, Value};
use crate::ops::step_key::NoKey;

/// Actions on files, each on the result of another or on an input.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileOp {
    /// The actions.
    pub actions: Vec<FileAction>,
}

/// One action on files.
///
/// Positions name first the inputs of the step and then the results of its actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileAction {
    /// The file system that it changes; `None` for an empty one.
    pub input: Option<usize>,
    /// The file system from which it copies.
    pub secondary_input: Option<usize>,
    /// The output of the step that its result is; `None` if only other actions use the result.
    pub output: Option<usize>,
    /// What it does.
    pub kind: FileActionKind,
}

/// What an action does.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileActionKind {
    /// Copies files.
    Copy(CopyAction),
    /// Makes a file.
    Mkfile(MkfileAction),
    /// Makes a folder.
    Mkdir(MkdirAction),
    /// Removes files.
    Rm(RmAction),
    /// An action of which the build record holds nothing, such as making a symbolic link.
    Unrecorded,
}

/// Copies files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CopyAction {
    /// The path that is copied, perhaps with wildcards.
    pub src: String,
    /// The path to which it is copied.
    pub dest: String,
    /// The owner of the copies.
    pub owner: Option<Owner>,
    /// The permission bits of the copies; -1 for those of the source.
    pub mode: i64,
    /// Whether a symbolic link at the end of `src` is followed.
    pub follow_symlink: bool,
    /// Whether of a folder its entries are copied, and not the folder.
    pub dir_copy_contents: bool,
    /// Whether archives are unpacked.
    pub attempt_unpack: bool,
    /// Whether the folders of `dest` are made.
    pub create_dest_path: bool,
    /// Whether `src` may have wildcards.
    pub allow_wildcard: bool,
    /// Whether a wildcard may match nothing.
    pub allow_empty_wildcard: bool,
    /// The modification time of the copies in nanoseconds; -1 for that of the source.
    pub timestamp: i64,
    /// If not empty, only entries below `src` that match one of these patterns are copied.
    pub include_patterns: Vec<String>,
    /// Entries below `src` that match one of these patterns are not copied.
    pub exclude_patterns: Vec<String>,
    /// Whether an entry of another type at the destination is replaced.
    pub always_replace_existing_dest_paths: bool,
    /// Changes of permission bits in the words of `chmod`, such as `u=rwX`.
    pub mode_str: String,
    /// Paths that must exist.
    pub required_paths: Vec<String>,
}

/// Makes a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MkfileAction {
    /// The path of the file.
    pub path: String,
    /// Its permission bits.
    pub mode: i64,
    /// Its bytes.
    pub data: Vec<u8>,
    /// Its owner.
    pub owner: Option<Owner>,
    /// Its modification time in nanoseconds; -1 for none.
    pub timestamp: i64,
}

/// Makes a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MkdirAction {
    /// The path of the folder.
    pub path: String,
    /// Its permission bits.
    pub mode: i64,
    /// Whether the folders above it are made.
    pub make_parents: bool,
    /// Its owner.
    pub owner: Option<Owner>,
    /// Its modification time in nanoseconds; -1 for none.
    pub timestamp: i64,
}

/// Removes files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RmAction {
    /// The path that is removed, perhaps with wildcards.
    pub path: String,
    /// Whether the path may be absent.
    pub allow_not_found: bool,
    /// Whether the path may have wildcards.
    pub allow_wildcard: bool,
}

/// An owner of files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// The user.
    pub user: Option<OwnerPart>,
    /// The group.
    pub group: Option<OwnerPart>,
}

/// A user or a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OwnerPart {
    /// A name, which `/etc/passwd` or `/etc/group` in an input translates.
    Name {
        /// The name.
        name: String,
        /// The position of the input.
        input: usize,
    },
    /// A number.
    Id(u32),
}

impl FileOp {
    /// The object that is hashed, for a step with `inputs` inputs.
    pub(crate) fn hashed(&self, inputs: usize) -> Result<Value, NoKey> {
        let actions = self.actions.iter().enumerate().map(|(position, action)| {
            let hashed = action.hashed(inputs).ok_or(NoKey::UnrecordedAction { action: position })?;
            Ok(Value::Encoded(Box::new(hashed.into())))
        });
        let object = Object::default()
            .with("Type", "buildkit.file.v0")
            .with("Actions", Value::List(actions.collect::<Result<_, _>>()?));
        let indexes = if self.has_usual_indexes() { Vec::new() } else { self.indexes() };
        Ok(object.with_set("indexes", Value::List(indexes)).into())
    }

    /// Whether the positions are those of actions that follow one another, which older builders left out of the key.
    fn has_usual_indexes(&self) -> bool {
        let count = self.actions.len();
        let is_usual = |(position, action): (usize, &FileAction)| {
            let input = position.checked_sub(1).map_or(0, |before| count + before);
            let output = (position + 1 == count).then_some(0);
            action.input == Some(input)
                && matches!(action.secondary_input, None | Some(1))
                && action.output == output
        };
        count > 0 && self.actions.iter().enumerate().all(is_usual)
    }

    fn indexes(&self) -> Vec<Value> {
        let positions = |action: &FileAction| [action.input, action.secondary_input, action.output];
        let indexes = |action| Value::list(positions(action).map(Value::index));
        self.actions.iter().map(indexes).collect()
    }
}

impl FileAction {
    fn hashed(&self, inputs: usize) -> Option<Object> {
        match &self.kind {
            FileActionKind::Copy(copy) => {
                // The folder of the source is in the selector.
                let is_input = self.secondary_input.is_some_and(|input| input < inputs);
                Some(copy.hashed(if is_input { base(&copy.src) } else { &copy.src }))
            }
            FileActionKind::Mkfile(mkfile) => Some(mkfile.hashed()),
            FileActionKind::Mkdir(mkdir) => Some(mkdir.hashed()),
            FileActionKind::Rm(rm) => Some(rm.hashed()),
            FileActionKind::Unrecorded => None,
        }
    }
}

impl CopyAction {
    fn hashed(&self, src: &str) -> Object {
        Object::default()
            .with_set("src", src)
            .with_set("dest", &self.dest)
            .with_some("owner", self.owner.as_ref().map(Owner::hashed))
            .with_set("mode", self.mode)
            .with_set("followSymlink", self.follow_symlink)
            .with_set("dirCopyContents", self.dir_copy_contents)
            .with_set("attemptUnpackDockerCompatibility", self.attempt_unpack)
            .with_set("createDestPath", self.create_dest_path)
            .with_set("allowWildcard", self.allow_wildcard)
            .with_set("allowEmptyWildcard", self.allow_empty_wildcard)
            .with_set("timestamp", self.timestamp)
            .with_set("include_patterns", Value::list(&self.include_patterns))
            .with_set("exclude_patterns", Value::list(&self.exclude_patterns))
            .with_set("alwaysReplaceExistingDestPaths", self.always_replace_existing_dest_paths)
            .with_set("modeStr", &self.mode_str)
            .with_set("required_paths", Value::list(&self.required_paths))
    }
}

impl MkfileAction {
    fn hashed(&self) -> Object {
        Object::default()
            .with_set("path", &self.path)
            .with_set("mode", self.mode)
            .with_set("data", &BASE64.encode(&self.data))
            .with_some("owner", self.owner.as_ref().map(Owner::hashed))
            .with_set("timestamp", self.timestamp)
    }
}

impl MkdirAction {
    fn hashed(&self) -> Object {
        Object::default()
            .with_set("path", &self.path)
            .with_set("mode", self.mode)
            .with_set("makeParents", self.make_parents)
            .with_some("owner", self.owner.as_ref().map(Owner::hashed))
            .with_set("timestamp", self.timestamp)
    }
}

impl RmAction {
    fn hashed(&self) -> Object {
        Object::default()
            .with_set("path", &self.path)
            .with_set("allowNotFound", self.allow_not_found)
            .with_set("allowWildcard", self.allow_wildcard)
    }
}

impl Owner {
    fn hashed(&self) -> Object {
        Object::default()
            .with_some("user", self.user.as_ref().map(OwnerPart::hashed))
            .with_some("group", self.group.as_ref().map(OwnerPart::hashed))
    }
}

impl OwnerPart {
    fn hashed(&self) -> Object {
        let user = match self {
            Self::Name { name, input } => {
                let name =
                    Object::default().with_set("name", name).with_set("input", Value::index(Some(*input)));
                Object::default().with("byName", name)
            }
            Self::Id(id) => Object::default().with_set("byId", *id),
        };
        Object::default().with("User", user)
    }
}
