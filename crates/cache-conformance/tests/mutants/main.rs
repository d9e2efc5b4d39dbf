//! For every law there is a store that breaks it, and the law catches that store.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test that cannot go on fails")]

mod mutant;

use std::collections::BTreeSet;
use std::sync::Arc;

use Flaw::*;
use cache_conformance::{Down, Store, run_all};
use cache_ingest::ErrorKind;
use mutant::{Flaw, Mutant};

/// Each flaw, and the laws that must catch it.
const FLAWS: &[(Flaw, &[&str])] = &[
    (AbsentIsUnavailable, &["a_blob_that_is_absent_is_not_found"]),
    (CannotTellIsNotFound, &["not_being_able_to_tell_is_not_absence"]),
    (SizeOffByOne, &["info_gives_the_size_without_reading"]),
    (TrustsTheHint, &["the_size_of_a_descriptor_is_a_hint"]),
    (IgnoresTheOffset, &["a_blob_reads_back_from_any_offset", "a_put_blob_reads_back_from_any_offset"]),
    (BeyondTheEndIsEmpty, &["opening_beyond_the_end_is_an_error_and_at_the_end_empty"]),
    (OneReaderAtATime, &["readers_do_not_disturb_each_other"]),
    (FileAtItsEnd, &["a_file_holds_the_whole_blob_from_its_start"]),
    (SaysAlreadyPresent, &["a_put_of_an_absent_blob_stores_it"]),
    (NeverAlreadyPresent, &["putting_again_is_already_present"]),
    (RefusesEmpty, &["an_empty_blob_is_stored_and_read"]),
    (TrustsSha512, &["a_sha512_blob_is_stored_and_verified"]),
    (RefusesManyChunks, &["a_source_of_single_bytes_is_stored"]),
    (HashesFilesToTheirEnd, &["a_source_with_a_file_is_stored"]),
    (TrustsFiles, &["a_faulty_file_leaves_nothing_visible"]),
    (HashesOnlyTheStream, &["a_faulty_file_leaves_nothing_visible"]),
    (
        ShowsUnverified,
        &[
            "a_short_source_leaves_nothing_visible",
            "a_long_source_leaves_nothing_visible",
            "a_different_source_leaves_nothing_visible",
            "a_descriptor_of_the_wrong_size_leaves_nothing_visible",
            "a_source_that_fails_at_any_byte_leaves_nothing_visible",
            "a_put_under_way_shows_nothing",
        ],
    ),
    (
        CleansUpAfterErrorsOnly,
        &[
            "a_put_under_way_shows_nothing",
            "a_stalling_source_that_is_dropped_leaves_nothing_visible",
            "a_panicking_source_leaves_nothing_visible",
        ],
    ),
    (HidesTheCause, &["short_long_and_different_sources_are_told_apart"]),
    (WantsEvenChunks, &["a_source_that_breaks_once_is_stored"]),
    (RemovesAfterErrors, &["a_failed_put_leaves_what_is_there"]),
    (OnePutAtATime, &["two_puts_at_once_both_succeed", "many_puts_at_once_do_not_disturb_each_other"]),
    (UnknownIsInvalid, &["an_unknown_name_is_not_found"]),
    (ForgetsTheMediaType, &["a_published_name_resolves_to_what_was_published"]),
    (DescribesWithoutMediaType, &["a_name_has_the_descriptor_of_its_manifest"]),
    (DescribesTheUnknown, &["a_name_has_the_descriptor_of_its_manifest"]),
    (ResolvesToOtherBytes, &["resolved_bytes_are_those_of_the_descriptor"]),
    (ForgetsDigests, &["a_published_manifest_resolves_by_its_digest"]),
    (KnowsNoLatest, &["a_manifest_without_a_name_is_the_latest"]),
    (HasOneName, &["names_do_not_disturb_each_other"]),
    (
        ManifestsAreNoBlobs,
        &[
            "a_published_manifest_reads_back",
            "a_manifest_is_published_after_all_that_it_names",
            "a_referrer_is_listed_for_its_subject_alone",
        ],
    ),
    (RefusesTheSame, &["publishing_again_is_idempotent"]),
    (
        IgnoresExpect,
        &["publishing_expects_absent", "publishing_expects_a_digest", "a_refused_publish_changes_nothing"],
    ),
    (PublishesAndRefuses, &["a_refused_publish_changes_nothing"]),
    (TrustsManifests, &["a_manifest_that_does_not_fit_its_descriptor_is_refused"]),
    (ListsEachPublish, &["every_tag_is_listed_once"]),
    (ListsAnotherManifest, &["what_is_listed_with_a_name_is_what_it_stands_for"]),
    (RemovesTheManifest, &["a_removed_tag_stands_for_nothing_and_others_stay"]),
    (RemovesOneTag, &["a_removed_digest_has_no_name_left"]),
    (RemovesTheUnknown, &["removing_what_is_not_there_is_not_found"]),
    (RemovesBeforeReplacing, &["readers_see_the_old_or_the_new_manifest_never_a_mixture"]),
    (NoReferrersIsNotFound, &["a_manifest_without_referrers_has_an_empty_list"]),
    (ListsAllReferrers, &["a_referrer_is_listed_for_its_subject_alone"]),
    (ForgetsTheArtifactType, &["a_referrer_is_listed_once_as_it_was_added"]),
    (ListsEachReferrer, &["a_referrer_is_listed_once_as_it_was_added"]),
    (TagsReferrers, &["adding_a_referrer_changes_no_name"]),
    (TrustsReferrers, &["a_referrer_that_does_not_fit_its_descriptor_is_refused"]),
    (ComparesTooEarly, &["one_of_those_who_expect_absent_wins"]),
];

/// The laws that a store with a flaw breaks, and all laws.
async fn broken(flaw: Option<Flaw>) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let report = run_all(&|| async {
        let kind =
            if flaw == Some(CannotTellIsNotFound) { ErrorKind::NotFound } else { ErrorKind::Unavailable };
        let mutant = Arc::new(Mutant::new(flaw));
        let complete = Store::complete(mutant.clone()).with_lister(mutant.clone());
        let complete = complete.with_remover(mutant.clone()).with_referrers(mutant);
        Ok(complete.with_sha512().with_unreachable(Down(kind)))
    })
    .await;
    let broken = report.violations().map(|violation| violation.law()).collect();
    (broken, report.outcomes().map(|(law, _)| law).collect())
}

#[tokio::test]
async fn a_mutant_without_a_flaw_conforms() {
    let (broken, _) = broken(None).await;
    assert!(broken.is_empty(), "{broken:?}");
}

#[tokio::test]
async fn every_flaw_is_caught_by_its_laws_and_every_law_catches_one() {
    let (mut caught, mut laws) = (BTreeSet::new(), BTreeSet::new());
    for (flaw, by) in FLAWS {
        let (broken, all) = broken(Some(*flaw)).await;
        for law in *by {
            assert!(broken.contains(law), "{flaw:?} is not caught by {law}, only by {broken:?}");
        }
        caught.extend(by.iter().copied());
        laws.extend(all);
    }
    assert_eq!(caught, laws);
}

/// A source without a file cannot show how a store treats files.
#[tokio::test]
async fn flaws_in_reading_files_are_caught_by_the_laws_about_files_alone() {
    let cases = [
        (HashesFilesToTheirEnd, "a_source_with_a_file_is_stored"),
        (TrustsFiles, "a_faulty_file_leaves_nothing_visible"),
        (HashesOnlyTheStream, "a_faulty_file_leaves_nothing_visible"),
    ];
    for (flaw, law) in cases {
        assert_eq!(broken(Some(flaw)).await.0, BTreeSet::from([law]), "{flaw:?}");
    }
}
