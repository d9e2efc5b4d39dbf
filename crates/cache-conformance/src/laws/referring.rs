//! Laws of stores of referrers.
//!
//! A registry may keep the list of referrers under a tag of its own, so no law looks at the list of tags.

use cache_ingest::{Error, Expect, Name, Provider, Publisher, Referrers, Resolver};
use cache_model::Descriptor;

use super::checks::{is_invisible, reads_back};
use super::naming::{stands_for, tag, try_publish};
use crate::violation::Law;
use crate::{Blob, Violation};

/// Publishes two manifests as `a` and `latest`.
async fn two_subjects(law: Law, publisher: &dyn Publisher) -> Result<[Blob; 2], Violation> {
    let subjects = [Blob::index("one"), Blob::index("two")];
    for (name, subject) in [tag("a"), Name::Unspecified].iter().zip(&subjects) {
        law.succeeds("publishing", try_publish(publisher, name, subject, Expect::Any).await)?;
    }
    Ok(subjects)
}

async fn add(referrers: &dyn Referrers, subject: &Blob, referrer: &Blob) -> Result<(), Error> {
    referrers.add_referrer(&subject.descriptor, &referrer.descriptor, referrer.bytes.clone()).await
}

/// Checks which manifests refer to a subject, in any order.
async fn are_listed(
    law: Law,
    referrers: &dyn Referrers,
    subject: &Blob,
    expected: &[&Blob],
) -> Result<(), Violation> {
    let seen = law.succeeds("listing referrers", referrers.referrers(&subject.descriptor).await)?;
    let texts = |descriptors: &mut dyn Iterator<Item = &Descriptor>| {
        let text = |descriptor: &Descriptor| String::from_utf8_lossy(&descriptor.json()).into_owned();
        let mut texts: Vec<String> = descriptors.map(text).collect();
        texts.sort_unstable();
        texts
    };
    let expected = texts(&mut expected.iter().map(|blob| &blob.descriptor));
    law.equal("the referrers", &expected, &texts(&mut seen.iter()))
}

/// A manifest to which nothing refers has an empty list, whether the store has it or not.
pub async fn a_manifest_without_referrers_has_an_empty_list(
    publisher: &dyn Publisher,
    referrers: &dyn Referrers,
) -> Result<(), Violation> {
    let law = Law("a_manifest_without_referrers_has_an_empty_list");
    let [one, _] = two_subjects(law, publisher).await?;
    are_listed(law, referrers, &one, &[]).await?;
    are_listed(law, referrers, &Blob::index("unknown"), &[]).await
}

/// A referrer is listed for its subject and for no other, and reads back as a blob.
pub async fn a_referrer_is_listed_for_its_subject_alone(
    publisher: &dyn Publisher,
    referrers: &dyn Referrers,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_referrer_is_listed_for_its_subject_alone");
    let [one, two] = two_subjects(law, publisher).await?;
    let referrer = Blob::referrer(&one, "label");
    law.succeeds("adding a referrer", add(referrers, &one, &referrer).await)?;
    are_listed(law, referrers, &one, &[&referrer]).await?;
    are_listed(law, referrers, &two, &[]).await?;
    reads_back(law, provider, &referrer, 0).await
}

/// Each referrer is listed once, however often it was added, with its artifact type and its annotations.
pub async fn a_referrer_is_listed_once_as_it_was_added(
    publisher: &dyn Publisher,
    referrers: &dyn Referrers,
) -> Result<(), Violation> {
    let law = Law("a_referrer_is_listed_once_as_it_was_added");
    let [one, _] = two_subjects(law, publisher).await?;
    let (first, second) = (Blob::referrer(&one, "first"), Blob::referrer(&one, "second"));
    for referrer in [&first, &second, &first] {
        law.succeeds("adding a referrer", add(referrers, &one, referrer).await)?;
    }
    are_listed(law, referrers, &one, &[&first, &second]).await
}

/// Adding a referrer changes no name, also not the default one.
pub async fn adding_a_referrer_changes_no_name(
    publisher: &dyn Publisher,
    referrers: &dyn Referrers,
    resolver: &dyn Resolver,
) -> Result<(), Violation> {
    let law = Law("adding_a_referrer_changes_no_name");
    let [one, two] = two_subjects(law, publisher).await?;
    for subject in [&one, &two] {
        let referrer = Blob::referrer(subject, "label");
        law.succeeds("adding a referrer", add(referrers, subject, &referrer).await)?;
    }
    stands_for(law, resolver, &tag("a"), &one).await?;
    stands_for(law, resolver, &Name::Unspecified, &two).await
}

/// Bytes that do not fit the descriptor of a referrer are an error, and nothing is listed or visible.
pub async fn a_referrer_that_does_not_fit_its_descriptor_is_refused(
    publisher: &dyn Publisher,
    referrers: &dyn Referrers,
    provider: &dyn Provider,
) -> Result<(), Violation> {
    let law = Law("a_referrer_that_does_not_fit_its_descriptor_is_refused");
    let [one, _] = two_subjects(law, publisher).await?;
    let (promised, other) = (Blob::referrer(&one, "promised"), Blob::referrer(&one, "other"));
    let unfit = Blob { descriptor: promised.descriptor.clone(), bytes: other.bytes };
    law.is_an_error("adding a referrer of other bytes", add(referrers, &one, &unfit).await)?;
    are_listed(law, referrers, &one, &[]).await?;
    is_invisible(law, provider, &promised.descriptor).await
}
