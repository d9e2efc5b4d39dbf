//! Runs every example of the README, the pages in `docs`, and the READMEs of the crates: one test for each page.
//!
//! `tests/docs/README.md` says how a page is written. The pages are found here, so no example escapes. Nothing is written
//! into the repository: fixtures are copied once, and each page has a temporary folder of its own.
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a test that cannot go on fails"
)]

#[cfg(unix)]
mod example;
#[cfg(unix)]
mod generated;
#[cfg(unix)]
mod itself;
#[cfg(unix)]
mod links;
#[cfg(unix)]
mod page;
#[cfg(unix)]
mod session;
#[cfg(unix)]
mod workflow;
#[cfg(unix)]
mod world;

/// The examples are commands of a Unix shell.
#[cfg(not(unix))]
fn main() {}

#[cfg(unix)]
fn main() {
    use libtest_mimic::{Arguments, Failed, Trial};

    let arguments = Arguments::from_args();
    let world = std::sync::Arc::new(world::World::default());
    let mut trials = itself::trials(&world);
    trials.extend(generated::trials(&world));
    trials.extend(links::trials());
    for path in page::examples() {
        let world = world.clone();
        let name = page::name(&path);
        trials.push(Trial::test(path.display().to_string(), move || {
            let text = std::fs::read_to_string(page::root().join(&path))?;
            example::check(&world, &name, &path.display().to_string(), &text).map_err(Failed::from)
        }));
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    // Exiting drops nothing, and the copies of the fixtures would stay.
    drop(world);
    conclusion.exit();
}
