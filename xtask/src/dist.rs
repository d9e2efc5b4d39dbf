//! `cargo xtask dist`: the archive that is given to users, and its checksum.
//!
//! The bytes of the archive depend on its files and on the time of the commit only. The program is built with the paths
//! of this machine replaced. It publishes nothing.

mod archive;
mod linked;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::command::{cargo, output, root, step};
use archive::{Entry, archive};
use linked::Linked;

/// Files of the repository that the archive holds.
const TEXTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];
const SHELLS: [&str; 5] = ["bash", "elvish", "fish", "powershell", "zsh"];

/// What to build.
#[derive(Args)]
pub(crate) struct Dist {
    /// The target; a program for musl runs on any Linux, and in an image without files
    #[arg(long, value_name = "TRIPLE", default_value = "x86_64-unknown-linux-musl")]
    target: String,

    /// Pack this program in place of one that is built now
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

impl Dist {
    /// Writes the archive and its checksum to `target/dist`.
    pub(crate) fn run(&self) -> Result<bool> {
        let time = commit_time()?;
        let program = match &self.program {
            Some(program) => program.clone(),
            None => self.build(time)?,
        };
        let folder = root().join("target/dist");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let name = format!("bkcache-{}-{}", env!("CARGO_PKG_VERSION"), self.target);
        let bytes = archive(&name, self.entries(&program)?, time)?;
        let file = folder.join(format!("{name}.tar.gz"));
        write(&file, &bytes)?;
        // As sha256sum writes it, so that `sha256sum --check` reads it beside the archive.
        let checksum = const_hex::encode(Sha256::digest(&bytes));
        write(
            &folder.join(format!("{name}.tar.gz.sha256")),
            format!("{checksum}  {name}.tar.gz\n").as_bytes(),
        )?;
        println!("{checksum}  {} ({} bytes)", file.display(), bytes.len());
        Ok(true)
    }

    /// Builds the program, without the paths of this machine in it.
    fn build(&self, time: u64) -> Result<PathBuf> {
        let flags: Vec<String> = mapped_paths()?
            .iter()
            .map(|(from, to)| format!("--remap-path-prefix={}={to}", from.display()))
            .collect();
        let c_flags: Vec<String> = mapped_paths()?
            .iter()
            .map(|(from, to)| format!("-ffile-prefix-map={}={to}", from.display()))
            .collect();
        let mut build = cargo();
        build
            .args([
                "build",
                "--locked",
                "--package",
                "bkcache",
                "--profile",
                "dist",
                "--target",
                &self.target,
            ])
            .env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"))
            .env("SOURCE_DATE_EPOCH", time.to_string());
        // The C compiler of MSVC has no such option.
        if !self.target.ends_with("-msvc") {
            build.env(format!("CFLAGS_{}", self.target.replace('-', "_")), c_flags.join(" "));
        }
        if !step(&mut build)? {
            bail!("the program was not built");
        }
        let target =
            std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
        Ok(target.join(&self.target).join("dist").join(self.program_name()))
    }

    fn program_name(&self) -> &'static str {
        if self.target.contains("-windows-") { "bkcache.exe" } else { "bkcache" }
    }

    fn entries(&self, program: &Path) -> Result<Vec<Entry>> {
        let mut entries =
            vec![Entry { path: self.program_name().to_owned(), bytes: read(program)?, mode: 0o755 }];
        for text in TEXTS {
            entries.push(Entry::text(text, read(&root().join(text))?));
        }
        let linked = Linked::of(&self.target)?;
        entries.push(Entry::text("THIRD-PARTY-LICENSES", linked.licenses()?.into_bytes()));
        entries.push(Entry::text("bkcache.cdx.json", linked.bill_of_materials()?));
        entries.extend(manual_pages()?);
        for shell in SHELLS {
            let script = own_output(&["completions", shell])?;
            entries.push(Entry::text(&format!("completions/bkcache.{shell}"), script));
        }
        Ok(entries)
    }
}

/// The paths of this machine that a compiler would put into the program, and their replacements.
fn mapped_paths() -> Result<Vec<(PathBuf, &'static str)>> {
    let sysroot = output(Command::new("rustc").args(["--print", "sysroot"]))?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    #[allow(deprecated, reason = "cargo finds its folder in the same way")]
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.context("the folder of cargo is not known: set CARGO_HOME")?;
    Ok(vec![(root(), "/bkcache"), (home, "/cargo"), (String::from_utf8(sysroot)?.trim().into(), "/rust")])
}

/// `SOURCE_DATE_EPOCH`, or when the commit was made, in seconds since 1970.
fn commit_time() -> Result<u64> {
    let text = match std::env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text,
        Err(_) => String::from_utf8(output(Command::new("git").current_dir(root()).args([
            "log",
            "-1",
            "--format=%ct",
        ]))?)?,
    };
    text.trim()
        .parse()
        .with_context(|| format!("{text:?} is no time: set SOURCE_DATE_EPOCH to seconds since 1970"))
}

/// The manual pages, by a program for this machine: that of another target cannot be run here.
fn manual_pages() -> Result<Vec<Entry>> {
    let folder = tempfile::tempdir().context("cannot make a folder for the manual pages")?;
    let path =
        folder.path().to_str().context("the folder for temporary files has a name that is not UTF-8")?;
    own_output(&["man", path])?;
    let listed = fs::read_dir(folder.path()).context("cannot list the manual pages")?;
    listed
        .map(|page| {
            let page = page.context("cannot list the manual pages")?;
            Ok(Entry::text(&format!("man/{}", page.file_name().to_string_lossy()), read(&page.path())?))
        })
        .collect()
}

/// The output of the program, built for this machine.
fn own_output(arguments: &[&str]) -> Result<Vec<u8>> {
    output(cargo().args(["run", "--quiet", "--locked", "--package", "bkcache", "--"]).args(arguments))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
