//! Laws of removers.
//!
//! A store that cannot remove a tag alone, or nothing at all, says so and changes nothing.

use cache_ingest::{ErrorKind, Expect, Name, Publisher, Remover, Resolver};

use super::naming::{is_free, stands_for, tag, try_publish};
use crate::violation::Law;
use crate::{Blob, Violation};

/// Publishes one manifest as `a` and `b`, another as `c`.
async fn three_tags(law: Law, publisher: &dyn Publisher) -> Result<[Blob; 2], Violation> {
    let manifests = [Blob::index("one"), Blob::index("two")];
    for (name, manifest) in [("a", 0), ("b", 0), ("c", 1)] {
        if let Some(manifest) = manifests.get(manifest) {
            law.succeeds("publishing", try_publish(publisher, &tag(name), manifest, Expect::Any).await)?;
        }
    }
    Ok(manifests)
}

/// Removes a name; false if the store cannot.
async fn remove(law: Law, remover: &dyn Remover, name: &Name) -> Result<bool, Violation> {
    match remover.remove_name(name).await {
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(false),
        removed => law.succeeds(&format!("removing {name}"), removed).map(|()| true),
    }
}

/// A removed tag stands for nothing. Every other tag keeps its manifest, also one of the same manifest. If the store cannot
/// remove a tag alone, nothing changes.
pub async fn a_removed_tag_stands_for_nothing_and_others_stay(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
    remover: &dyn Remover,
) -> Result<(), Violation> {
    let law = Law("a_removed_tag_stands_for_nothing_and_others_stay");
    let [one, two] = three_tags(law, publisher).await?;
    if remove(law, remover, &tag("a")).await? {
        is_free(law, resolver, &tag("a")).await?;
    } else {
        stands_for(law, resolver, &tag("a"), &one).await?;
    }
    stands_for(law, resolver, &tag("b"), &one).await?;
    stands_for(law, resolver, &tag("c"), &two).await
}

/// Removing a digest takes all tags of that manifest away, and no other.
pub async fn a_removed_digest_has_no_name_left(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
    remover: &dyn Remover,
) -> Result<(), Violation> {
    let law = Law("a_removed_digest_has_no_name_left");
    let [one, two] = three_tags(law, publisher).await?;
    let is_removed = remove(law, remover, &Name::Digest(one.descriptor.digest)).await?;
    for name in [tag("a"), tag("b")] {
        match is_removed {
            true => is_free(law, resolver, &name).await?,
            false => stands_for(law, resolver, &name, &one).await?,
        }
    }
    stands_for(law, resolver, &tag("c"), &two).await
}

/// Removing a tag or a digest that stands for nothing is `NotFound`, and changes nothing.
pub async fn removing_what_is_not_there_is_not_found(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
    remover: &dyn Remover,
) -> Result<(), Violation> {
    let law = Law("removing_what_is_not_there_is_not_found");
    let [one, _] = three_tags(law, publisher).await?;
    for name in [tag("unknown"), Name::Digest(Blob::index("unknown").descriptor.digest)] {
        let removed = remover.remove_name(&name).await;
        law.fails(ErrorKind::NotFound, &format!("removing the free name {name}"), removed)?;
    }
    stands_for(law, resolver, &tag("a"), &one).await
}
