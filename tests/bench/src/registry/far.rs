//! Pushes of a cache of many layers to a registry that answers slowly: the number of requests, and the time.

use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::json;
use test_registries::{Authority, DockerRegistry, Guard, Server, SlowProxy, TokenBehavior, Tokens};

use crate::figures::verdicts;
use crate::layouts::Blobs;

/// The longest time for a cache that the registry has, in milliseconds.
const THERE: u128 = 1000;
/// The greatest number of successive round trips for a cache that the registry has, with 16 requests at once.
const ROUNDS: f64 = 127.0 / 16.0 + 6.0;
/// The greatest number of requests when the tag names the cache already: a HEAD that is refused, a token, and a HEAD for the
/// manifest, the config and each layer.
const FEWEST: usize = 2 + 2 + 127;

/// The time of a push, and the number of its requests.
type Push = (Duration, usize);

/// The fastest pushes of a cache.
struct Pushes {
    first: Push,
    /// To its tag again.
    same: Push,
    /// To another tag.
    other: Push,
}

/// Pushes a cache for the first time, to its tag again, and to other tags; a line for each.
///
/// The number of successive round trips follows from the difference to a registry that is twice as slow.
pub(super) async fn measure(
    bkcache: &Path,
    cache: &Path,
    folder: &Path,
    delay: Duration,
    repeat: u32,
) -> Result<String> {
    let pushes = push(bkcache, cache, folder, delay, repeat).await?;
    let slower = push(bkcache, cache, folder, delay * 2, repeat).await?;
    let rounds = |quick: Push, slow: Push| slow.0.saturating_sub(quick.0).as_secs_f64() / delay.as_secs_f64();
    let mut out = format!("\n{}, {} ms a request, tokens included\n", Blobs::Steps, delay.as_millis());
    let _ = writeln!(out, "{:<30}{:>9}{:>10}{:>13}", "", "best ms", "requests", "round trips");
    for (what, quick, slow) in [
        ("first push", pushes.first, slower.first),
        ("pushed again", pushes.same, slower.same),
        ("pushed again, other tag", pushes.other, slower.other),
    ] {
        let (taken, requests) = quick;
        let _ =
            writeln!(out, "{what:<30}{:>9}{requests:>10}{:>13.1}", taken.as_millis(), rounds(quick, slow));
    }
    out.push('\n');
    let (there, requests) = (pushes.other.0.as_millis(), pushes.same.1);
    let rounds = rounds(pushes.other, slower.other);
    out += &verdicts(&[
        (there < THERE, format!("there, other tag: {there} ms (under {THERE})")),
        (rounds < ROUNDS, format!("there, other tag: {rounds:.1} round trips (at most {ROUNDS:.1})")),
        (requests <= FEWEST, format!("there: {requests} requests (at most {FEWEST})")),
    ]);
    Ok(out)
}

/// Pushes to a registry that answers after a delay.
async fn push(bkcache: &Path, cache: &Path, folder: &Path, delay: Duration, repeat: u32) -> Result<Pushes> {
    let authority = Authority::new();
    let users = vec![("user".to_owned(), "password".to_owned())];
    let behavior = TokenBehavior { users, ..TokenBehavior::default() };
    let tokens = Server::start(Tokens::signing(behavior, authority.identity("signer"))).await;
    let slow_tokens = SlowProxy::start(tokens.address(), delay).await;
    let realm = format!("http://{}{}", slow_tokens.host(), Tokens::PATH);
    let guard = Guard::Tokens { realm: &realm, service: "registry", authority: &authority };
    let registry = DockerRegistry::start(guard).await.context("there is no docker-registry")?;
    let proxy = SlowProxy::start(registry.address(), delay).await;
    let auth = json!({"auths": {proxy.host(): {"auth": "dXNlcjpwYXNzd29yZA=="}}});
    std::fs::write(folder.join("config.json"), auth.to_string()).context("cannot write credentials")?;

    let push = async |tag: &str| -> Result<Push> {
        proxy.forget();
        slow_tokens.forget();
        let mut command = Command::new(bkcache);
        command.args(["copy", "--quiet"]).arg(cache).arg(format!("{}/bench:{tag}", proxy.host()));
        command.env("DOCKER_CONFIG", folder);
        let run = tokio::task::spawn_blocking(move || {
            let began = Instant::now();
            command.status().map(|status| (began.elapsed(), status))
        });
        let (taken, status) = run.await?.context("cannot run bkcache")?;
        if !status.success() {
            bail!("bkcache copy failed");
        }
        Ok((taken, proxy.requests() + slow_tokens.requests()))
    };
    let first = push("latest").await?;
    let (mut same, mut other) = (push("latest").await?, push("other-0").await?);
    for n in 1..repeat {
        same = same.min(push("latest").await?);
        other = other.min(push(&format!("other-{n}")).await?);
    }
    Ok(Pushes { first, same, other })
}
