//! What a registry has: the sparse index, asked for one crate at a time.
//!
//! Requests are made by curl, so that xtask needs no HTTP client; it only reads.

use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The sparse index of crates.io.
const CRATES_IO: &str = "https://index.crates.io/";

/// The sparse index of a registry.
pub(crate) struct Index {
    /// Its URL, which ends with a slash.
    url: String,
}

impl Index {
    /// The index of a registry by its name in cargo's variables, or of crates.io.
    pub(crate) fn of(registry: Option<&str>) -> Result<Self> {
        let Some(name) = registry else { return Ok(Self { url: CRATES_IO.to_owned() }) };
        let variable = format!("CARGO_REGISTRIES_{}_INDEX", name.to_uppercase().replace('-', "_"));
        let value = std::env::var(&variable)
            .with_context(|| format!("the registry {name} has no index; set {variable}"))?;
        let url = value.strip_prefix("sparse+").with_context(|| {
            format!("{variable} is {value}; only a sparse index can be asked: sparse+https://…/")
        })?;
        Ok(Self { url: format!("{}/", url.trim_end_matches('/')) })
    }

    /// The SHA-256 checksum of a version of a crate, if the registry has it.
    pub(crate) fn checksum(&self, name: &str, version: &str) -> Result<Option<String>> {
        let url = format!("{}{}", self.url, path(name));
        match self.get(&url)? {
            None => Ok(None),
            Some(lines) => find(&lines, version).with_context(|| format!("{url} is no index of a crate")),
        }
    }

    /// A file of the index; `None` if there is none.
    fn get(&self, url: &str) -> Result<Option<String>> {
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--location", "--retry", "3", "--max-time", "60"])
            .args(["--user-agent", "bkcache-release", "--header", "Cache-Control: no-cache"])
            .args(["--write-out", "\n%{http_code}", url])
            .output()
            .context("cannot run curl; install it")?;
        if !output.status.success() {
            bail!("{url} cannot be read: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        let text = String::from_utf8_lossy(&output.stdout);
        let (body, status) = text.rsplit_once('\n').unwrap_or_default();
        match status {
            "200" => Ok(Some(body.to_owned())),
            "404" | "410" | "451" => Ok(None),
            _ => bail!("{url} answers {status}; run the release again later"),
        }
    }
}

/// The path of a crate's file, by the rule of the index: crates with long names are spread over folders.
fn path(name: &str) -> String {
    let name = name.to_lowercase();
    let part = |range| name.get(range).unwrap_or_default();
    match name.len() {
        0..=2 => format!("{}/{name}", name.len()),
        3 => format!("3/{}/{name}", part(0..1)),
        _ => format!("{}/{}/{name}", part(0..2), part(2..4)),
    }
}

/// The checksum in the line of a version. A file has a line of JSON for each version.
fn find(lines: &str, version: &str) -> Result<Option<String>> {
    for line in lines.lines().filter(|line| !line.trim().is_empty()) {
        let entry: Value = serde_json::from_str(line)?;
        let text = |key: &str| entry.get(key).and_then(Value::as_str);
        if text("vers") == Some(version) {
            return Ok(Some(text("cksum").context("a version has no checksum")?.to_owned()));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_depends_on_the_length_of_the_name() {
        for (name, expected) in
            [("a", "1/a"), ("ab", "2/ab"), ("abc", "3/a/abc"), ("Cache-Model", "ca/ch/cache-model")]
        {
            assert_eq!(path(name), expected);
        }
    }

    #[test]
    fn a_version_is_found_by_its_whole_number() {
        let lines = "{\"vers\":\"0.1.0\",\"cksum\":\"aa\"}\n{\"vers\":\"0.1.01\",\"cksum\":\"bb\"}\n";
        assert_eq!(find(lines, "0.1.0").unwrap().as_deref(), Some("aa"));
        assert_eq!(find(lines, "0.1").unwrap(), None);
        assert!(find("<html>", "0.1.0").is_err());
    }
}
