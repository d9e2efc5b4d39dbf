//! The file for the metadata of an export.
//!
//! It is opened before the export begins, so that a mistake costs no copy.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use cache_ingest::Error;
use tempfile::NamedTempFile;

use crate::failure::{CHECK_THE_PATH, Doing, Failure};

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
    /// A file that exists, or a pipe or device. It is written in its place, so that links and mounts stay.
    Existing,
}

impl MetadataFile {
    /// Finds out whether the metadata can be written to a path; `-` is standard output.
    pub(crate) fn prepare(path: &Path) -> Result<Self, Failure> {
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
                OpenOptions::new().append(true).open(path).map(|_| MetadataOutput::Existing)
            }
            Ok(_) => Ok(MetadataOutput::Existing),
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
            MetadataOutput::Existing => fs::write(&self.path, text),
            MetadataOutput::Staged(mut staged) => {
                staged.write_all(text.as_bytes())?;
                staged.persist(&self.path).map(drop).map_err(|error| error.error)
            }
        }
    }
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
    builder.tempfile_in(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_file_appears_when_it_is_written_and_not_if_the_export_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("metadata");
        let names = || fs::read_dir(folder.path()).unwrap().count();
        let failed = MetadataFile::prepare(&path).unwrap();
        assert!(!path.exists());
        drop(failed);
        assert_eq!(names(), 0);
        MetadataFile::prepare(&path).unwrap().write("new").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("new", 1));
        drop(MetadataFile::prepare(&path).unwrap());
        MetadataFile::prepare(&path).unwrap().write("x").unwrap();
        assert_eq!((fs::read_to_string(&path).unwrap().as_str(), names()), ("x", 1));
    }

    #[test]
    #[cfg(unix)]
    fn a_link_stays_and_a_new_file_has_the_usual_permissions() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (link, file) = (folder.path().join("link"), folder.path().join("file"));
        MetadataFile::prepare(&file).unwrap().write("old").unwrap();
        fs::write(folder.path().join("usual"), "").unwrap();
        let mode = |name: &str| fs::metadata(folder.path().join(name)).unwrap().permissions().mode();
        assert_eq!(mode("file"), mode("usual"));
        std::os::unix::fs::symlink(&file, &link).unwrap();
        MetadataFile::prepare(&link).unwrap().write("new").unwrap();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_to_string(&file).unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_written_is_found_at_once() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("absent/metadata")] {
            assert!(MetadataFile::prepare(&path).is_err(), "{}", path.display());
        }
    }
}
