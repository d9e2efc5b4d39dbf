//! Runs all laws against a store.
//!
//! Each law gets a fresh store and limited time. No law can stop the others, not even by a panic.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use cache_ingest::Ingester;
use cache_model::{Algorithm, Descriptor};
use futures_util::FutureExt;
use tokio::time::timeout;

use crate::{Blob, Factory, Outcome, Report, Store, Violation, laws};

/// The time limit of a law.
const LIMIT: Duration = Duration::from_secs(60);
/// The lengths in bytes of the blobs for the laws about reading.
const LENGTHS: [u32; 4] = [0, 1, 4000, 600_000];

/// Runs the laws of all traits that the store has.
///
/// Needs a Tokio runtime with time. A law that takes more than a minute or panics is broken.
pub async fn run_all(factory: &dyn Factory) -> Report {
    let mut report = Report::default();
    macro_rules! laws {
        ($($law:ident($($part:ident),*) $(if $can:ident)?;)*) => {$(
            let name = stringify!($law);
            let outcome = attempt(name, factory, |store| async move {
                $(if !store.$can() { return Outcome::LeftOut(stringify!($can)) })?
                $(let Some($part) = store.$part else { return Outcome::LeftOut(stringify!($part)) };)*
                laws::$law($(&*$part),*).await.into()
            });
            report.note(name, outcome.await);
        )*};
    }
    macro_rules! reading_laws {
        ($($law:ident;)*) => {$(
            let name = stringify!($law);
            let outcome = attempt(name, factory, |store| async move {
                let Some(provider) = store.provider else { return Outcome::LeftOut("provider") };
                let Some(ingester) = store.ingester else { return Outcome::LeftOut("ingester") };
                for len in LENGTHS {
                    let checked = match filled(name, &*ingester, len).await {
                        Ok(blob) => laws::$law(&*provider, &blob).await,
                        Err(violation) => Err(violation),
                    };
                    if let Err(violation) = checked {
                        return Outcome::Broken(violation);
                    }
                }
                Outcome::Held
            });
            report.note(name, outcome.await);
        )*};
    }
    absence(factory, &mut report).await;
    reading_laws! {
        info_gives_the_size_without_reading;
        the_size_of_a_descriptor_is_a_hint;
        a_blob_reads_back_from_any_offset;
        opening_beyond_the_end_is_an_error_and_at_the_end_empty;
        readers_do_not_disturb_each_other;
        a_file_holds_the_whole_blob_from_its_start;
    }
    laws! {
        a_put_of_an_absent_blob_stores_it(ingester, provider);
        a_put_blob_reads_back_from_any_offset(ingester, provider);
        putting_again_is_already_present(ingester, provider);
        an_empty_blob_is_stored_and_read(ingester, provider);
        a_sha512_blob_is_stored_and_verified(ingester, provider) if sha512;
        a_source_of_single_bytes_is_stored(ingester, provider);
        a_source_with_a_file_is_stored(ingester, provider);
        a_short_source_leaves_nothing_visible(ingester, provider);
        a_long_source_leaves_nothing_visible(ingester, provider);
        a_different_source_leaves_nothing_visible(ingester, provider);
        a_faulty_file_leaves_nothing_visible(ingester, provider);
        short_long_and_different_sources_are_told_apart(ingester);
        a_descriptor_of_the_wrong_size_leaves_nothing_visible(ingester, provider);
        a_source_that_fails_at_any_byte_leaves_nothing_visible(ingester, provider);
        a_source_that_breaks_once_is_stored(ingester, provider);
        a_put_under_way_shows_nothing(ingester, provider);
        a_stalling_source_that_is_dropped_leaves_nothing_visible(ingester, provider);
        a_panicking_source_leaves_nothing_visible(ingester, provider);
        a_failed_put_leaves_what_is_there(ingester, provider);
        two_puts_at_once_both_succeed(ingester, provider);
        many_puts_at_once_do_not_disturb_each_other(ingester, provider);
        an_unknown_name_is_not_found(resolver);
        a_published_name_resolves_to_what_was_published(publisher, resolver);
        a_name_has_the_descriptor_of_its_manifest(publisher, resolver);
        resolved_bytes_are_those_of_the_descriptor(publisher, resolver);
        a_published_manifest_resolves_by_its_digest(publisher, resolver);
        a_manifest_without_a_name_is_the_latest(publisher, resolver);
        names_do_not_disturb_each_other(publisher, resolver);
        a_published_manifest_reads_back(publisher, provider);
        a_manifest_is_published_after_all_that_it_names(ingester, publisher, resolver, provider);
        publishing_again_is_idempotent(publisher, resolver);
        publishing_expects_absent(publisher, resolver);
        publishing_expects_a_digest(publisher, resolver);
        a_refused_publish_changes_nothing(publisher, resolver);
        a_manifest_that_does_not_fit_its_descriptor_is_refused(publisher, resolver, provider);
        every_tag_is_listed_once(publisher, lister);
        what_is_listed_with_a_name_is_what_it_stands_for(publisher, lister, resolver);
        a_removed_tag_stands_for_nothing_and_others_stay(publisher, resolver, remover);
        a_removed_digest_has_no_name_left(publisher, resolver, remover);
        removing_what_is_not_there_is_not_found(publisher, resolver, remover);
        a_manifest_without_referrers_has_an_empty_list(publisher, referrers);
        a_referrer_is_listed_for_its_subject_alone(publisher, referrers, provider);
        a_referrer_is_listed_once_as_it_was_added(publisher, referrers);
        adding_a_referrer_changes_no_name(publisher, referrers, resolver);
        a_referrer_that_does_not_fit_its_descriptor_is_refused(publisher, referrers, provider);
        readers_see_the_old_or_the_new_manifest_never_a_mixture(publisher, resolver, provider);
        one_of_those_who_expect_absent_wins(publisher, resolver) if atomic;
    }
    report
}

/// Runs all laws in a test.
///
/// # Panics
///
/// If a law is broken. The message has a line for each broken law.
pub async fn assert_conforms(factory: &dyn Factory) {
    let report = run_all(factory).await;
    assert!(report.conforms(), "{report}");
}

/// The laws about absence.
async fn absence(factory: &dyn Factory, report: &mut Report) {
    fn absent() -> Descriptor {
        Blob::layer(Algorithm::Sha256, 3).descriptor
    }
    let name = "a_blob_that_is_absent_is_not_found";
    let checked = attempt(name, factory, |store| async move {
        let Some(provider) = store.provider else { return Outcome::LeftOut("provider") };
        laws::a_blob_that_is_absent_is_not_found(&*provider, &absent()).await.into()
    });
    report.note(name, checked.await);
    let name = "not_being_able_to_tell_is_not_absence";
    let checked = attempt(name, factory, |store| async move {
        let Some(unreachable) = store.unreachable else { return Outcome::LeftOut("unreachable") };
        laws::not_being_able_to_tell_is_not_absence(&*unreachable, &absent()).await.into()
    });
    report.note(name, checked.await);
}

/// Checks one law on a fresh store.
async fn attempt<F, T>(law: &'static str, factory: &dyn Factory, check: F) -> Outcome
where
    F: FnOnce(Store) -> T,
    T: Future<Output = Outcome>,
{
    let checked = async {
        match factory.fresh().await {
            Ok(store) => check(store).await,
            Err(error) => Outcome::Broken(Violation::new(law, "a fresh store", error)),
        }
    };
    match timeout(LIMIT, AssertUnwindSafe(checked).catch_unwind()).await {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(_)) => Outcome::Broken(Violation::new(law, "no panic", "a panic")),
        Err(_) => Outcome::Broken(Violation::new(law, format_args!("an end within {LIMIT:?}"), "none")),
    }
}

/// A blob of a length that has been put.
async fn filled(law: &'static str, ingester: &dyn Ingester, len: u32) -> Result<Blob, Violation> {
    let blob = Blob::layer(Algorithm::Sha256, len);
    match ingester.put(&blob.descriptor, &blob.source()).await {
        Ok(_) => Ok(blob),
        Err(error) => Err(Violation::new(law, format_args!("a blob of {len} bytes to be put"), error)),
    }
}
