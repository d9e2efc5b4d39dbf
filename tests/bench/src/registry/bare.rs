//! The lower bound of a push: all files at once go from the page cache to the registry by `sendfile`.
//!
//! It reads no byte, hashes nothing, asks for nothing and retries nothing, so no program that does can be faster. It
//! understands only the answers of docker-registry on this machine.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result, bail};
use clap::Args;
use serde_json::Value;

use crate::process::words;

const OCTETS: &str = "application/octet-stream";

/// Options of `cargo xtask bench bare-push`.
#[derive(Args)]
pub(crate) struct BarePush {
    /// The layout, of one cache in the form of an image manifest
    layout: PathBuf,
    /// The host and port of the registry
    host: String,
    /// The repository
    repository: String,
}

/// The command line of a push.
pub(super) fn command(layout: &Path, host: &str) -> Result<Vec<OsString>> {
    let mut line = vec![std::env::current_exe().context("cannot find this program")?.into_os_string()];
    line.extend(words(&["bare-push"]));
    line.push(layout.into());
    line.extend(words(&[host, "bench"]));
    Ok(line)
}

/// A blob of the layout.
struct Blob {
    path: PathBuf,
    digest: String,
    media_type: String,
}

impl BarePush {
    pub(crate) fn run(&self) -> Result<()> {
        let index = json(&self.layout.join("index.json"))?;
        let manifest = self.blob(index.pointer("/manifests/0").context("the layout is empty")?)?;
        let lists = json(&manifest.path)?;
        let layers = lists.get("layers").and_then(Value::as_array).context("it is no image manifest")?;
        let blobs: Vec<Blob> =
            layers.iter().chain(lists.get("config")).map(|blob| self.blob(blob)).collect::<Result<_>>()?;
        thread::scope(|scope| {
            let pushes: Vec<_> = blobs.iter().map(|blob| scope.spawn(|| self.push(blob))).collect();
            pushes.into_iter().try_for_each(|push| push.join().unwrap_or_else(|_| bail!("a push panicked")))
        })?;
        let target = format!("/v2/{}/manifests/latest", self.repository);
        self.connect()?.send("PUT", &target, Some(&manifest))?;
        Ok(())
    }

    fn blob(&self, descriptor: &Value) -> Result<Blob> {
        let text =
            |key: &str| descriptor.get(key).and_then(Value::as_str).with_context(|| format!("no {key}"));
        let digest = text("digest")?;
        Ok(Blob {
            path: self.layout.join("blobs").join(digest.replace(':', "/")),
            digest: digest.to_owned(),
            media_type: text("mediaType")?.to_owned(),
        })
    }

    fn push(&self, blob: &Blob) -> Result<()> {
        let mut connection = self.connect()?;
        let begun = connection.send("POST", &format!("/v2/{}/blobs/uploads/", self.repository), None)?;
        let location = begun.context("the registry does not say where to upload to")?;
        let (_, path) = location.split_once(&self.host).context("the registry sends elsewhere")?;
        connection.send("PUT", &format!("{path}&digest={}", blob.digest), Some(blob))?;
        Ok(())
    }

    fn connect(&self) -> Result<Connection<'_>> {
        let stream = TcpStream::connect(&self.host).with_context(|| format!("cannot reach {}", self.host))?;
        Ok(Connection { host: &self.host, stream: BufReader::new(stream) })
    }
}

struct Connection<'h> {
    host: &'h str,
    stream: BufReader<TcpStream>,
}

impl Connection<'_> {
    /// Sends a request with a file as its body; the `Location` of a successful answer.
    fn send(&mut self, method: &str, target: &str, body: Option<&Blob>) -> Result<Option<String>> {
        let mut file = body.map(|blob| File::open(&blob.path)).transpose().context("cannot open a blob")?;
        let len = file.as_ref().map_or(Ok(0), |file| file.metadata().map(|metadata| metadata.len()))?;
        let media_type = body.map_or(OCTETS, |blob| &blob.media_type);
        let head = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nContent-Type: {media_type}\r\nContent-Length: {len}\r\n\r\n",
            self.host
        );
        self.stream.get_mut().write_all(head.as_bytes())?;
        if let Some(file) = &mut file {
            // From a file to a socket this is `sendfile`.
            io::copy(file, self.stream.get_mut())?;
        }
        let (mut status, mut location, mut rest) = (String::new(), None, 0);
        self.stream.read_line(&mut status)?;
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else { break };
            match name {
                "Location" => location = Some(value.to_owned()),
                "Content-Length" => rest = value.parse()?,
                _ => {}
            }
        }
        let mut answer = String::new();
        self.stream.by_ref().take(rest).read_to_string(&mut answer)?;
        if !status.starts_with("HTTP/1.1 20") {
            bail!("{method} {target}: {} {answer}", status.trim_end());
        }
        Ok(location)
    }
}

fn json(path: &Path) -> Result<Value> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    serde_json::from_slice(&bytes).with_context(|| format!("{} is no JSON", path.display()))
}
