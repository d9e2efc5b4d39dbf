//! Makes chains of a selection.

use cache_model::{CacheChains, Rule};

use crate::copying::RecordCopier;
use crate::{EditError, Selection};

/// Makes chains of what a selection keeps: the records that stay with all of their links, and of results the kept ones
/// alone.
///
/// # Errors
/// [`EditError::Add`], which chains of one graph never give.
pub fn keep(selection: &Selection<'_>) -> Result<CacheChains, EditError> {
    let mut chains = CacheChains::new();
    let mut copier = RecordCopier::new(&mut chains);
    for record in selection.records() {
        copier.copy(record, selection.result(record))?;
    }
    chains.set_rule(Rule::Closed);
    Ok(chains)
}
