//! The digest of a step's own definition, and why a step has none.

use cache_model::Digest;

use crate::ops::hashed::Value;

/// The digest of a step's own definition, and what was hashed.
#[derive(Clone, Debug, PartialEq)]
pub struct StepKey {
    digest: Digest,
    hashed: Value,
}

/// Why the key of a step is not computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NoKey {
    /// The step is a source.
    #[error("the keys of a source follow from what it resolves to")]
    Source,
    /// The last step of a definition, which does nothing.
    #[error("the last step of a build has no key")]
    End,
    /// An action on files of which the build record holds nothing. BuildKit records none of the data of a symlink.
    #[error("the build record does not hold the data of action {action}, such as that of a symlink")]
    UnrecordedAction {
        /// The position of the action.
        action: usize,
    },
    /// A number that the build record has rounded.
    #[error("the build record has rounded the number {field}: a record in the form SLSA v0.2 has it exactly")]
    RoundedNumber {
        /// The path of the number in the operation.
        field: String,
    },
    /// An operation, or a part of one, whose place in the key is not known.
    #[error("it is not known how {part} counts in the key")]
    UnknownPart {
        /// The name of the operation, or the path of its part.
        part: String,
    },
}

impl StepKey {
    pub(crate) fn of(hashed: Value) -> Self {
        Self { digest: Digest::of(hashed.json()), hashed }
    }

    /// The same fields under another digest: that of a step in whose definition values were replaced after its key was
    /// computed.
    #[must_use]
    pub fn with_digest(self, digest: Digest) -> Self {
        Self { digest, ..self }
    }

    /// The digest: the record of output `n` stands under [`RecordDigest::of_output`](cache_model::RecordDigest::of_output) of it and `n`.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What was hashed, as paths with their texts, in the hashed order: `Exec.meta.args[2]`. Environment variables
    /// stand by name (`Exec.meta.env.PATH`) and actions on files decoded (`Actions[0].dest`). A part that is present and empty is `{}`.
    ///
    /// The texts hold values of build arguments and environment variables, which may be secrets.
    pub fn fields(&self) -> Vec<(String, String)> {
        self.hashed.fields()
    }
}
