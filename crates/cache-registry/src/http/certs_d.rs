//! The certificates that Docker keeps for a registry, in a folder `certs.d/HOST:PORT`: `*.crt` are authorities, and a
//! `*.cert` with the `*.key` of the same name is the client's certificate (moby, registry/registry.go).
//!
//! Files are found here, not read.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use cache_ingest::{Error, ErrorKind};
use reqwest::Url;

use crate::docker_folder::{docker_folder, variable_path};

/// The files for one registry.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct RegistryFiles {
    /// Authorities, in the order of their names.
    pub(crate) authorities: Vec<PathBuf>,
    /// The client's certificate and its key; of several the first by name.
    pub(crate) identity: Option<(PathBuf, PathBuf)>,
}

impl RegistryFiles {
    /// The files for the registry at a URL, in all of these folders.
    pub(crate) fn find(folders: &[PathBuf], url: &Url) -> Result<Self, Error> {
        let mut found = Self::default();
        for folder in folders {
            for name in folder_names(url) {
                found.add(&folder.join(name))?;
            }
        }
        Ok(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn add(&mut self, folder: &Path) -> Result<(), Error> {
        let files = match names(folder) {
            Ok(files) => files,
            // What is for root only is not for this user.
            Err(cause) if is_absent(&cause) || cause.kind() == io::ErrorKind::PermissionDenied => {
                return Ok(());
            }
            Err(cause) => return Err(Error::io("list", folder.display(), cause)),
        };
        for file in &files {
            let extension = file.extension().unwrap_or_default();
            let (certificate, key) = (file.with_extension("cert"), file.with_extension("key"));
            if extension == "crt" {
                self.authorities.push(folder.join(file));
            } else if extension == "cert" && !files.contains(&key) {
                let reason = "it has no key beside it, of the same name and with the ending .key; the certificate of an authority has the ending .crt";
                return Err(misplaced(&folder.join(file), reason));
            } else if extension == "key" && !files.contains(&certificate) {
                let reason = "it has no certificate beside it, of the same name and with the ending .cert";
                return Err(misplaced(&folder.join(file), reason));
            } else if extension == "cert" && self.identity.is_none() {
                self.identity = Some((folder.join(&certificate), folder.join(&key)));
            }
        }
        Ok(())
    }
}

/// The folders that Docker Desktop, rootless Docker, and Docker read.
pub(crate) fn docker_folders() -> Vec<PathBuf> {
    let config = variable_path("XDG_CONFIG_HOME").or_else(|| Some(env::home_dir()?.join(".config")));
    let rootless = config.map(|config| config.join("docker"));
    let docker = [docker_folder(), rootless, Some(PathBuf::from("/etc/docker"))];
    docker.into_iter().flatten().map(|folder| folder.join("certs.d")).collect()
}

/// The names that a folder for a host may have: the host as users write it.
fn folder_names(url: &Url) -> Vec<String> {
    let host = url.host_str().unwrap_or_default();
    // A registry chooses to which host it redirects, and must not choose another folder by it.
    if host.chars().all(|c| c == '.') {
        return Vec::new();
    }
    let with_port = |port: u16| format!("{host}:{port}");
    let names = match url.port() {
        Some(port) => vec![with_port(port)],
        None => vec![host.to_owned(), with_port(443)],
    };
    // Windows has no colons in names, and Docker leaves them out.
    names.into_iter().map(|name| if cfg!(windows) { name.replace(':', "") } else { name }).collect()
}

/// The names of the files in a folder, in order.
fn names(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    fs::read_dir(folder)?.map(|entry| entry.map(|entry| PathBuf::from(entry.file_name()))).collect()
}

fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn misplaced(file: &Path, reason: &str) -> Error {
    Error::new(ErrorKind::Invalid, "use", file.display(), reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files for the registry at a URL, where the folders hold these.
    fn found(url: &str, files: &[&str]) -> Result<RegistryFiles, String> {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let folders = ["first", "absent", "second"].map(|name| folder.path().join(name));
        let found = RegistryFiles::find(&folders, &Url::parse(url).unwrap());
        let short = |path: PathBuf| path.strip_prefix(folder.path()).unwrap().to_owned();
        found.map_err(|error| error.to_string().replace(&folder.path().display().to_string(), "DIR")).map(
            |found| RegistryFiles {
                authorities: found.authorities.into_iter().map(short).collect(),
                identity: found.identity.map(|(certificate, key)| (short(certificate), short(key))),
            },
        )
    }

    #[test]
    fn a_registry_has_the_files_in_the_folders_of_its_name() {
        let files = [
            "first/r.example:5000/b.crt",
            "first/r.example:5000/a.crt",
            "first/r.example:5000/notes.txt",
            "first/r.example:5000/z.cert",
            "first/r.example:5000/z.key",
            "first/r.example:5000/c.cert",
            "first/r.example:5000/c.key",
            "second/r.example:5000/a.crt",
            "first/r.example/plain.crt",
            "second/r.example:443/port.crt",
            "first/[::1]:5000/six.crt",
        ];
        let of = |url| found(url, &files).unwrap();
        let paths = |paths: &[&str]| paths.iter().map(PathBuf::from).collect::<Vec<_>>();
        let here = of("https://r.example:5000/v2/");
        let expected =
            ["first/r.example:5000/a.crt", "first/r.example:5000/b.crt", "second/r.example:5000/a.crt"];
        assert_eq!(here.authorities, paths(&expected));
        let identity = ["first/r.example:5000/c.cert", "first/r.example:5000/c.key"].map(PathBuf::from);
        assert_eq!(here.identity, Some(identity.into()));
        let expected = ["first/r.example/plain.crt", "second/r.example:443/port.crt"];
        assert_eq!(of("https://r.example/v2/").authorities, paths(&expected));
        assert_eq!(of("https://[::1]:5000/").authorities, paths(&["first/[::1]:5000/six.crt"]));
        assert!(of("https://other.example/").is_empty() && of("https://r.example:5001/").is_empty());
    }

    #[test]
    fn half_of_a_pair_is_an_error_that_names_it() {
        let error = found("https://r.example/", &["first/r.example/ca.cert"]).unwrap_err();
        assert!(error.starts_with("use DIR/first/r.example/ca.cert: it has no key beside it"), "{error}");
        assert!(error.ends_with("has the ending .crt"), "{error}");
        let error = found("https://r.example/", &["first/r.example/me.key", "first/r.example/me.crt"]);
        let error = error.unwrap_err();
        assert!(error.starts_with("use DIR/first/r.example/me.key: it has no certificate"), "{error}");
        assert!(found("https://r.example/", &["first/r.example"]).unwrap().is_empty(), "not a folder");
        assert!(found("https://../", &["a.crt", "first/a.crt"]).unwrap().is_empty(), "not above the folder");
    }
}
