//! What one operation asks of a registry: the repository, the scopes of its token, and the words for its errors.

use cache_target::Repository;

use crate::auth::scopes::Scopes;
use crate::error::Operation;

/// An operation on a repository, which may take several requests.
#[derive(Debug)]
pub(crate) struct Call<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) scopes: Scopes,
    pub(crate) operation: Operation,
}
