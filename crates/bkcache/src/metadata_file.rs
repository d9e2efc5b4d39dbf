//! The file for the metadata of an export.
//!
//! It is opened before the export begins, so that a mistake costs no copy.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};

use cache_ingest::Error;
use tempfile::NamedTempFile;

use crate::cli::WriteArgs;
use crate::failure::{CHECK_THE_PATH, Doing, Failure};
use crate::open::destination_folder;

/// A place that metadata can be written to.
#[derive(Debug)]
pub(crate) struct MetadataFile {
    path: PathBuf,
    output: MetadataOutput,
}

#[derive(Debug)]
enum MetadataOutput {
    Stdout,
    /// A new file, which gets its name once it is whole. It is removed if the export fails.
    Staged(NamedTempFile),
    /// A file that exists, a pipe, a device, or a file in the destination. It is written in its place, so that links and
    /// mounts stay.
    InPlace,
}

impl MetadataFile {
    /// The file that the options ask for, for an export to a destination.
    pub(crate) fn wanted(write: &WriteArgs, destination: &str) -> Result<Option<Self>, Failure> {
        let folder = destination_folder(destination);
        write.metadata_file.as_deref().map(|path| Self::prepare(path, folder.as_deref())).transpose()
    }

    /// Finds out whether the metadata can be written to a path; `-` is standard output. A file in the destination's folder is
    /// not looked at before the export, which may have to make that folder, and refuses one with other files.
    fn prepare(path: &Path, folder: Option<&Path>) -> Result<Self, Failure> {
        if folder.is_some_and(|folder| is_inside(path, folder)) {
            return Ok(Self { path: path.to_owned(), output: MetadataOutput::InPlace });
        }
        let failed = |error: io::Error| Error::io("write", path.display(), error);
        let output = Self::output(path).map_err(failed);
        let output = output.doing(|| "cannot write the metadata".to_owned());
        let output = output.map_err(|failure| failure.advise_if_not_found(CHECK_THE_PATH))?;
        Ok(Self { path: path.to_owned(), output })
    }

    fn output(path: &Path) -> io::Result<MetadataOutput> {
        if path == Path::new("-") {
            return Ok(MetadataOutput::Stdout);
        }
        match fs::metadata(path) {
            // To open a pipe would wait for its reader.
            Ok(found) if found.is_file() || found.is_dir() => {
                OpenOptions::new().append(true).open(path).map(|_| MetadataOutput::InPlace)
            }
            Ok(_) => Ok(MetadataOutput::InPlace),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let folder = path.parent().filter(|folder| *folder != Path::new(""));
                stage(folder.unwrap_or(Path::new("."))).map(MetadataOutput::Staged)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether it is standard output.
    pub(crate) fn is_stdout(&self) -> bool {
        matches!(self.output, MetadataOutput::Stdout)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the metadata.
    pub(crate) fn write(self, text: &str) -> io::Result<()> {
        match self.output {
            MetadataOutput::Stdout => writeln!(io::stdout().lock(), "{text}"),
            MetadataOutput::InPlace => fs::write(&self.path, text),
            MetadataOutput::Staged(mut staged) => {
                staged.write_all(text.as_bytes())?;
                staged.persist(&self.path).map(drop).map_err(|error| error.error)
            }
        }
    }
}

/// Whether a path is below a folder, by their texts.
fn is_inside(path: &Path, folder: &Path) -> bool {
    let names = |path: &Path| -> PathBuf {
        path.components().filter(|component| *component != Component::CurDir).collect()
    };
    names(path).starts_with(names(folder))
}

/// A new file in a folder, with the permissions that any new file has.
fn stage(folder: &Path) -> io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".bkcache-");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    fs::metadata(folder)?;
    // The error names the new file, which the user has not named. Its kind says enough.
    builder.tempfile_in(folder).map_err(|error| error.kind().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_appears_when_it_is_written_and_not_if_the_export_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let failed = MetadataFile::prepare(&path, None).unwrap();
        assert!(!path.exists());
        drop(failed);
        assert_eq!(names(), 0);
        MetadataFile::prepare(&path, None).unwrap().write("new").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("new", 1));
        drop(MetadataFile::prepare(&path, None).unwrap());
        MetadataFile::prepare(&path, None).unwrap().write("x").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("x", 1));
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_and_a_new_file_has_the_usual_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        MetadataFile::prepare(&file, None).unwrap().write("old").unwrap();
        fs::write(folder.path().join("usual"), "").unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("file"), mode("usual"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        MetadataFile::prepare(&link, None).unwrap().write("new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_written_is_found_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("absent/metadata")] {
            assert!(MetadataFile::prepare(&path, None).is_err(), "{}", path.display());
        }
    }

    #[test]
    fn a_file_in_the_destination_is_not_looked_at_before() {
        for (path, folder, expected) in [
            ("out/metadata", "./out", true),
            ("./out/a/metadata", "out/", true),
            ("/a/out/metadata", "/a/out", true),
            ("outer/metadata", "out", false),
            ("metadata", "out", false),
        ] {
            assert_eq!(is_inside(Path::new(path), Path::new(folder)), expected, "{path} in {folder}");
        }
    }
}
