//! Laws of resolvers and publishers, one after the other.
//!
//! Most laws publish indexes without entries, so that they need no blobs.

use cache_ingest::{Error, ErrorKind, Expect, Ingester, Lister, Name, Provider, Publisher, Resolver};
use cache_model::{Algorithm, Descriptor, MediaType};

use super::checks::{is_invisible, put, reads_back};
use crate::violation::Law;
use crate::{Blob, Violation};

pub(super) fn tag(tag: &str) -> Name {
    Name::Tag(tag.to_owned())
}

pub(super) async fn try_publish(
    publisher: &dyn Publisher,
    name: &Name,
    manifest: &Blob,
    expect: Expect,
) -> Result<(), Error> {
    publisher.publish(name, &manifest.descriptor, manifest.bytes.clone(), expect).await
}

async fn publish(law: Law, publisher: &dyn Publisher, name: &Name, manifest: &Blob) -> Result<(), Violation> {
    let did = format!("publishing as {name}");
    law.succeeds(&did, try_publish(publisher, name, manifest, Expect::Any).await)
}

/// Checks that a name resolves to a manifest.
pub(super) async fn stands_for(
    law: Law,
    resolver: &dyn Resolver,
    name: &Name,
    manifest: &Blob,
) -> Result<(), Violation> {
    let seen = law.succeeds(&format!("resolving {name}"), resolver.resolve(name).await)?.descriptor;
    law.equal(&format!("{name}"), &identity(&manifest.descriptor), &identity(&seen))
}

/// What a name has to say about its manifest: digest, size, media type.
fn identity(descriptor: &Descriptor) -> (String, u64, String) {
    (descriptor.digest.to_string(), descriptor.size, descriptor.media_type.as_str().to_owned())
}

pub(super) async fn is_free(law: Law, resolver: &dyn Resolver, name: &Name) -> Result<(), Violation> {
    let resolved = resolver.resolve(name).await;
    law.fails(ErrorKind::NotFound, &format!("resolving the free name {name}"), resolved).map(|_| ())
}

/// In an empty store every name is `NotFound`: a tag, a digest, and no name at all.
pub async fn an_unknown_name_is_not_found(resolver: &dyn Resolver) -> Result<(), Violation> {
    let law = Law("an_unknown_name_is_not_found");
    for name in [tag("unknown"), Name::Digest(Blob::index("unknown").descriptor.digest), Name::Unspecified] {
        is_free(law, resolver, &name).await?;
    }
    Ok(())
}

/// A tag resolves to the manifest that was published under it: digest, size, media type.
pub async fn a_published_name_resolves_to_what_was_published(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("a_published_name_resolves_to_what_was_published");
    for manifest in [Blob::index("one"), Blob::index("two")] {
        publish(law, publisher, &tag("name"), &manifest).await?;
        stands_for(law, resolver, &tag("name"), &manifest).await?;
    }
    Ok(())
}

/// The descriptor of a name alone is that of the manifest that the name resolves to, and a name that stands for nothing has
/// none.
pub async fn a_name_has_the_descriptor_of_its_manifest(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("a_name_has_the_descriptor_of_its_manifest");
    let unknown = tag("unknown");
    let described = resolver.resolve_descriptor(&unknown).await;
    law.fails(ErrorKind::NotFound, &format!("describing the free name {unknown}"), described)?;
    for manifest in [Blob::index("one"), Blob::index("two")] {
        publish(law, publisher, &tag("name"), &manifest).await?;
        publish(law, publisher, &Name::Unspecified, &manifest).await?;
        for name in [tag("name"), Name::Digest(manifest.descriptor.digest), Name::Unspecified] {
            let described = resolver.resolve_descriptor(&name).await;
            let described = law.succeeds(&format!("describing {name}"), described)?;
            law.equal(&format!("{name}"), &identity(&manifest.descriptor), &identity(&described))?;
        }
    }
    Ok(())
}

/// If a resolved name comes with bytes, they are the whole manifest of its descriptor.
pub async fn resolved_bytes_are_those_of_the_descriptor(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("resolved_bytes_are_those_of_the_descriptor");
    for manifest in [Blob::index("one"), Blob::index("two")] {
        publish(law, publisher, &tag("name"), &manifest).await?;
        for name in [tag("name"), Name::Digest(manifest.descriptor.digest)] {
            let did = format!("resolving {name}");
            if let Some(bytes) = law.succeeds(&did, resolver.resolve(&name).await)?.bytes {
                law.equal(&format!("the bytes of {name}"), &manifest.bytes, &bytes)?;
            }
        }
    }
    Ok(())
}

/// A manifest that was published resolves by its digest, whether it was published under a tag or not.
pub async fn a_published_manifest_resolves_by_its_digest(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("a_published_manifest_resolves_by_its_digest");
    let (tagged, untagged) = (Blob::index("tagged"), Blob::index("untagged"));
    publish(law, publisher, &tag("name"), &tagged).await?;
    publish(law, publisher, &Name::Digest(untagged.descriptor.digest), &untagged).await?;
    for manifest in [tagged, untagged] {
        stands_for(law, resolver, &Name::Digest(manifest.descriptor.digest), &manifest).await?;
    }
    Ok(())
}

/// A manifest that is published without a name is the default, and tagged `latest`.
pub async fn a_manifest_without_a_name_is_the_latest(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("a_manifest_without_a_name_is_the_latest");
    let (other, latest) = (Blob::index("other"), Blob::index("latest"));
    publish(law, publisher, &tag("other"), &other).await?;
    publish(law, publisher, &Name::Unspecified, &latest).await?;
    stands_for(law, resolver, &Name::Unspecified, &latest).await?;
    stands_for(law, resolver, &tag(Name::LATEST), &latest).await
}

/// Publishing under one name changes no other.
pub async fn names_do_not_disturb_each_other(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("names_do_not_disturb_each_other");
    let (one, two, three) = (Blob::index("one"), Blob::index("two"), Blob::index("three"));
    publish(law, publisher, &tag("a"), &one).await?;
    publish(law, publisher, &tag("b"), &two).await?;
    publish(law, publisher, &tag("b"), &three).await?;
    stands_for(law, resolver, &tag("a"), &one).await?;
    stands_for(law, resolver, &tag("b"), &three).await?;
    is_free(law, resolver, &tag("c")).await
}

/// The bytes of a published manifest are the given ones.
pub async fn a_published_manifest_reads_back(
    publisher: &dyn Publisher,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_published_manifest_reads_back");
    let manifest = Blob::index("one");
    publish(law, publisher, &tag("name"), &manifest).await?;
    reads_back(law, provider, &manifest, 0).await
}

/// After its blobs are stored, a manifest can be published. The manifest and all blobs can be read from its name.
pub async fn a_manifest_is_published_after_all_that_it_names(
    ingester: &dyn Ingester,
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_manifest_is_published_after_all_that_it_names");
    let config = Blob::new(MediaType::CACHE_CONFIG, r#"{"layers":[],"records":[]}"#);
    let layer = Blob::layer(Algorithm::Sha256, 2000);
    let manifest = Blob::manifest(&config, std::slice::from_ref(&layer));
    put(law, ingester, &layer).await?;
    put(law, ingester, &config).await?;
    publish(law, publisher, &tag("name"), &manifest).await?;
    stands_for(law, resolver, &tag("name"), &manifest).await?;
    for blob in [&manifest, &config, &layer] {
        reads_back(law, provider, blob, 0).await?;
    }
    Ok(())
}

/// Publishing a manifest again under the same name succeeds and changes nothing.
pub async fn publishing_again_is_idempotent(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("publishing_again_is_idempotent");
    let manifest = Blob::index("one");
    for _ in 0..3 {
        publish(law, publisher, &tag("name"), &manifest).await?;
        stands_for(law, resolver, &tag("name"), &manifest).await?;
    }
    Ok(())
}

/// A publisher that expects a free name succeeds if it is free, and otherwise gets `Conflict`.
pub async fn publishing_expects_absent(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("publishing_expects_absent");
    let (one, two) = (Blob::index("one"), Blob::index("two"));
    let published = try_publish(publisher, &tag("name"), &one, Expect::Absent).await;
    law.succeeds("publishing under a free name", published)?;
    stands_for(law, resolver, &tag("name"), &one).await?;
    let published = try_publish(publisher, &tag("name"), &two, Expect::Absent).await;
    law.fails(ErrorKind::Conflict, "expecting a taken name to be free", published).map(|_| ())
}

/// A publisher that expects a digest succeeds if the name points at it, and otherwise gets `Conflict`.
pub async fn publishing_expects_a_digest(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("publishing_expects_a_digest");
    let (one, two) = (Blob::index("one"), Blob::index("two"));
    let expect = Expect::Digest(one.descriptor.digest);
    let published = try_publish(publisher, &tag("name"), &two, expect).await;
    law.fails(ErrorKind::Conflict, "expecting a digest of a free name", published)?;
    publish(law, publisher, &tag("name"), &one).await?;
    law.succeeds("expecting the present manifest", try_publish(publisher, &tag("name"), &two, expect).await)?;
    stands_for(law, resolver, &tag("name"), &two).await?;
    let published = try_publish(publisher, &tag("name"), &one, expect).await;
    law.fails(ErrorKind::Conflict, "expecting a replaced manifest", published).map(|_| ())
}

/// If an expectation is not met, every name keeps its manifest.
pub async fn a_refused_publish_changes_nothing(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("a_refused_publish_changes_nothing");
    let (one, two) = (Blob::index("one"), Blob::index("two"));
    publish(law, publisher, &tag("name"), &one).await?;
    let unmet = Expect::Digest(two.descriptor.digest);
    for (name, expect) in [("name", Expect::Absent), ("name", unmet), ("free", unmet)] {
        let published = try_publish(publisher, &tag(name), &two, expect).await;
        law.is_an_error("the expectation is not met", published)?;
        stands_for(law, resolver, &tag("name"), &one).await?;
        is_free(law, resolver, &tag("free")).await?;
    }
    Ok(())
}

/// Bytes that do not fit their descriptor are refused. The name stays free, and the bytes are not visible.
pub async fn a_manifest_that_does_not_fit_its_descriptor_is_refused(
    publisher: &dyn Publisher,
    resolver: &dyn Resolver,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_manifest_that_does_not_fit_its_descriptor_is_refused");
    let mut wrong = Blob::index("one");
    wrong.bytes = Blob::index("two").bytes;
    let published = try_publish(publisher, &tag("name"), &wrong, Expect::Any).await;
    law.is_an_error("publishing other bytes", published)?;
    is_free(law, resolver, &tag("name")).await?;
    is_invisible(law, provider, &wrong.descriptor).await
}

/// A store lists the published tags, each once, even if it was published several times.
pub async fn every_tag_is_listed_once(
    publisher: &dyn Publisher,
    lister: &dyn Lister,
) -> Result<(), Violation> {
    let law = Law("every_tag_is_listed_once");
    let published = [("b", "one"), ("a", "one"), ("c", "two"), ("b", "two")];
    for (name, manifest) in published {
        publish(law, publisher, &tag(name), &Blob::index(manifest)).await?;
    }
    let listed = law.succeeds("listing", lister.list().await)?;
    let mut names: Vec<_> = listed.into_iter().filter_map(|listed| listed.name).collect();
    names.sort_by_key(ToString::to_string);
    law.equal("the names, sorted", &["a", "b", "c"].map(tag).to_vec(), &names)
}

/// A descriptor in a list is the descriptor that its name resolves to.
pub async fn what_is_listed_with_a_name_is_what_it_stands_for(
    publisher: &dyn Publisher,
    lister: &dyn Lister,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("what_is_listed_with_a_name_is_what_it_stands_for");
    for (name, manifest) in [("a", "one"), ("b", "two"), ("example.com/app:a", "three"), ("b", "one")] {
        // Not every store has names with a slash.
        let published = try_publish(publisher, &tag(name), &Blob::index(manifest), Expect::Any).await;
        if !name.contains('/') {
            law.succeeds("publishing", published)?;
        }
    }
    for listed in law.succeeds("listing", lister.list().await)? {
        if let (Some(name), Some(descriptor)) = (listed.name, listed.descriptor) {
            let descriptor = law.succeeds("listing a descriptor", descriptor)?;
            let resolved = law.succeeds("resolving", resolver.resolve(&name).await)?.descriptor;
            law.equal(&format!("the listed descriptor of {name}"), &resolved, &descriptor)?;
        }
    }
    Ok(())
}
