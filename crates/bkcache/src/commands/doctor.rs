//! `bkcache doctor`: whether BuildKit will import a cache, and what mends each point that is wrong.

use cache_import::Imported;
use cache_report::Cache;
use cache_target::Opened;
use cache_verify::{Report, VerifyOptions, verify_with};

use crate::checkup::{Checkup, Numbers};
use crate::cli::{DoctorArgs, GlobalArgs};
use crate::clock::now;
use crate::failure::{Doing, Failure};
use crate::interrupt::unless_interrupted;
use crate::open::{OpenedSource, advise_to_list, open_source, place, reading};
use crate::output::{report_then, write_text};
use crate::stores::Stores;

pub(crate) async fn run(args: &DoctorArgs, global: &GlobalArgs) -> Result<(), Failure> {
    let now = now()?;
    let text = args.source.source.as_str();
    let stores = Stores::for_reading(global, &args.source.registry, &[text])?;
    let examined = async {
        let target = open_source(&stores, text).await?;
        let (place, report) = (place(&target), looked_up(&stores, &target, text).await?);
        let imported = match report.caches {
            0 => None,
            _ => imported(&stores, target, text).await,
        };
        Ok((place, report, imported))
    };
    let (place, report, imported) = unless_interrupted(examined, None, global).await?;
    drop(stores);
    let numbers = imported.as_ref().map(|imported| Numbers::of(&views(imported)));
    let checkup = Checkup::of(&report, numbers.as_ref(), &args.source, now);
    let written = write_text(|out| match args.json {
        true => writeln!(out, "{:#}", checkup.json(&place, &report)),
        false => checkup.write_lines(out, &place, &report, global.quiet),
    });
    report_then(written, (!checkup.is_usable()).then_some(Failure::Unsound { advice: None }))
}

/// Looks each blob up, and reads manifests and configs.
async fn looked_up(stores: &Stores, target: &Opened, text: &str) -> Result<Report, Failure> {
    let options = VerifyOptions::default().with_blobs(false);
    let report = verify_with(&*target.store, &target.name, &options, &stores.job, &()).await;
    let report = report.doing(|| reading(target));
    report.map_err(|failure| advise_to_list(failure, target, text))
}

/// The records; `None` if they cannot be read. The report has a finding that says why.
async fn imported(stores: &Stores, target: Opened, text: &str) -> Option<Imported> {
    OpenedSource::of(stores, target, text).await.ok()?.import_silently(stores).await.ok()
}

fn views(imported: &Imported) -> Vec<Cache<'_>> {
    imported.caches.iter().map(|cache| Cache::new(&cache.origin, &cache.config, &cache.layers)).collect()
}
