//! `cargo xtask dist`: the archive that is given to users, and its checksum.
//!
//! The bytes of the archive depend on its files and on the time of the commit only. The program is built with the paths
//! of this machine replaced. It publishes nothing.

mod archive;
mod debian;
mod files;
mod linked;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use clap::Args;
use sha2::{Digest, Sha256};

use crate::command::{cargo, output, root, step};
use crate::workspace::Workspace;
use archive::{Entry, archive};
use files::{read, write};
use linked::Linked;

/// Files of the repository that the archive holds.
const TEXTS: [&str; 4] = ["CHANGELOG.md", "LICENSE-APACHE", "LICENSE-MIT", "README.md"];
/// The greatest size of a program for musl, in bytes. The README promises about 11 MB.
const MAX_MUSL_PROGRAM: usize = 12_000_000;
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

    /// Make a Debian package of the same files, too; it needs cargo-deb
    #[arg(long)]
    deb: bool,
}

impl Dist {
    /// Writes the archive, the package if it is asked for, and their checksums to `target/dist`.
    pub(crate) fn run(&self) -> Result<bool> {
        let time = commit_time()?;
        let program = match &self.program {
            Some(program) => {
                program.canonicalize().with_context(|| format!("cannot find {}", program.display()))?
            }
            None => self.build()?,
        };
        let folder = root().join("target/dist");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let entries = self.entries(&program)?;
        if self.deb {
            let package = debian::package(&self.target, &entries, time)?;
            write_checksum(&package)?;
        }
        let name = format!("bkcache-{}-{}", env!("CARGO_PKG_VERSION"), self.target);
        let file = folder.join(format!("{name}.tar.gz"));
        write(&file, &archive(&name, entries, time)?)?;
        write_checksum(&file)?;
        Ok(true)
    }

    /// Builds the program, without the paths of this machine in it.
    fn build(&self) -> Result<PathBuf> {
        let target = Workspace::load(&root())?.target;
        let paths = mapped_paths(&target)?;
        let map = |option: &str| -> Vec<String> {
            paths.iter().map(|(from, to)| format!("{option}={}={to}", from.display())).collect()
        };
        let mut flags = rust_flags();
        flags.extend(map("--remap-path-prefix"));
        if self.target.ends_with("-linux-musl") {
            // Addresses that are set at the start take 5 kB in place of 500. A linker that cannot do so only warns.
            flags.push("-Clink-arg=-Wl,-z,pack-relative-relocs".to_owned());
        }
        let mut build = cargo();
        build.args(["build", "--locked", "--package", "bkcache", "--profile", "dist", "--target"]);
        build.arg(&self.target).env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
        // C code may hold the date of its compilation. It gets one for all: cargo does not compile it anew for a commit.
        build.env("SOURCE_DATE_EPOCH", "0");
        // The C compiler of MSVC has no such option.
        if !self.target.ends_with("-msvc") {
            let variable = format!("CFLAGS_{}", self.target.replace('-', "_"));
            let own = std::env::var(&variable).unwrap_or_default();
            build.env(variable, format!("{own} {}", map("-ffile-prefix-map").join(" ")));
        }
        if !step(&mut build)? {
            bail!("the program was not built");
        }
        Ok(target.join(&self.target).join("dist").join(self.program_name()))
    }

    fn program_name(&self) -> &'static str {
        if self.target.contains("-windows-") { "bkcache.exe" } else { "bkcache" }
    }

    fn entries(&self, program: &Path) -> Result<Vec<Entry>> {
        let bytes = read(program)?;
        check_size(&self.target, bytes.len())?;
        let mut entries = vec![Entry { path: self.program_name().to_owned(), bytes, mode: 0o755 }];
        for text in TEXTS {
            entries.push(Entry::text(text, read(&root().join(text))?));
        }
        let linked = Linked::of(&self.target)?;
        let program = runnable(program)?;
        entries.push(Entry::text("THIRD-PARTY-LICENSES", linked.licenses()?.into_bytes()));
        entries.push(Entry::text("bkcache.cdx.json", linked.bill_of_materials()?));
        entries.extend(manual_pages(&program)?);
        for shell in SHELLS {
            let script = output(Command::new(&program).args(["completions", shell]))?;
            entries.push(Entry::text(&format!("completions/bkcache.{shell}"), script));
        }
        Ok(entries)
    }
}

/// An error if a program for musl is greater than the documentation says.
fn check_size(target: &str, size: usize) -> Result<()> {
    if target.ends_with("-linux-musl") && size > MAX_MUSL_PROGRAM {
        bail!(
            "the program for {target} has {size} bytes, more than {MAX_MUSL_PROGRAM}: find what made it grow, or change \
             the limit and the size in README.md, CHANGELOG.md and docs/platforms.md"
        );
    }
    Ok(())
}

/// The paths of this machine that a compiler would put into the program, and their replacements. Of a path and one below
/// it, the one below follows, because compilers take the last that fits.
fn mapped_paths(target: &Path) -> Result<Vec<(PathBuf, String)>> {
    let sysroot = String::from_utf8(output(Command::new("rustc").args(["--print", "sysroot"]))?)?;
    let version = String::from_utf8(output(Command::new("rustc").arg("-vV"))?)?;
    let commit = version.lines().find_map(|line| line.strip_prefix("commit-hash: "));
    let commit = commit.context("rustc -vV names no commit-hash")?;
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    #[allow(deprecated, reason = "cargo finds its folder in the same way")]
    let home = home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let home = home.context("the folder of cargo is not known: set CARGO_HOME")?;
    let mut paths = vec![
        (root(), "/bkcache".to_owned()),
        (target.to_owned(), "/bkcache/target".to_owned()),
        (home, "/cargo".to_owned()),
        // Where the sources of the standard library are installed, as they are named where they are not.
        (Path::new(sysroot.trim()).join("lib/rustlib/src/rust"), format!("/rustc/{commit}")),
    ];
    paths.sort_by_key(|(path, _)| path.as_os_str().len());
    Ok(paths)
}

/// The flags for rustc that the caller asks for.
fn rust_flags() -> Vec<String> {
    let split =
        |text: String, at: char| text.split(at).filter(|flag| !flag.is_empty()).map(str::to_owned).collect();
    match std::env::var("CARGO_ENCODED_RUSTFLAGS") {
        Ok(flags) => split(flags, '\u{1f}'),
        Err(_) => split(std::env::var("RUSTFLAGS").unwrap_or_default(), ' '),
    }
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

/// A program of this version that runs on this machine: the given one, or one that is built for it.
fn runnable(program: &Path) -> Result<PathBuf> {
    let expected = format!("bkcache {}", env!("CARGO_PKG_VERSION"));
    match Command::new(program).arg("--version").output() {
        Ok(shown) if shown.stdout.starts_with(expected.as_bytes()) => Ok(program.to_owned()),
        Ok(_) => bail!("{} is not {expected}: name another program", program.display()),
        // It is for another machine.
        Err(_) => {
            output(cargo().args(["build", "--locked", "--package", "bkcache"]))?;
            let target = Workspace::load(&root())?.target;
            Ok(target.join("debug/bkcache").with_extension(std::env::consts::EXE_EXTENSION))
        }
    }
}

fn manual_pages(program: &Path) -> Result<Vec<Entry>> {
    let folder = tempfile::tempdir().context("cannot make a folder for the manual pages")?;
    output(Command::new(program).arg("man").arg(folder.path()))?;
    let listed = fs::read_dir(folder.path()).context("cannot list the manual pages")?;
    listed
        .map(|page| {
            let page = page.context("cannot list the manual pages")?;
            Ok(Entry::text(&format!("man/{}", page.file_name().to_string_lossy()), read(&page.path())?))
        })
        .collect()
}

/// Writes the checksum of a file beside it, as `sha256sum` does, so that `sha256sum --check` reads it.
fn write_checksum(file: &Path) -> Result<()> {
    let bytes = read(file)?;
    let checksum = const_hex::encode(Sha256::digest(&bytes));
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    write(&file.with_file_name(format!("{name}.sha256")), format!("{checksum}  {name}\n").as_bytes())?;
    println!("{checksum}  {} ({} bytes)", file.display(), bytes.len());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_for_musl_that_is_greater_than_promised_is_an_error_with_its_size() {
        check_size("x86_64-unknown-linux-musl", 12_000_000).unwrap();
        check_size("x86_64-apple-darwin", 12_000_001).unwrap();
        let error = check_size("aarch64-unknown-linux-musl", 12_000_001).unwrap_err().to_string();
        let expected = "the program for aarch64-unknown-linux-musl has 12000001 bytes, more than 12000000: ";
        assert!(error.starts_with(expected), "{error}");
    }
}
