//! Local folders as contexts: what of them is sent, and how entries are read.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

use cache_ingest::Event;
use cache_inputs::{ContextOptions, IgnoreFile, read_context};
use cache_keys::{Entry, EntryHasher, EntryKind, Header, Tree};
use tempfile::TempDir;

/// A folder with these files; a name with `/` at its end is a folder.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        if name.ends_with('/') {
            fs::create_dir_all(&path).unwrap();
        } else {
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, text).unwrap();
        }
    }
    folder
}

fn read(folder: &Path, options: &ContextOptions) -> Tree {
    read_context(folder, options, &()).unwrap()
}

fn paths(tree: &Tree) -> Vec<String> {
    tree.iter().map(|(path, _)| String::from_utf8(path).unwrap()).collect()
}

fn with_ignore(ignore: IgnoreFile) -> ContextOptions {
    let mut options = ContextOptions::default();
    options.ignore = ignore;
    options
}

#[test]
fn an_entry_is_sent_with_its_mode_and_owned_by_root() {
    let folder = folder(&[("run", "abc"), ("d/", "")]);
    let set_mode = |name: &str, mode| {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    set_mode("run", 0o4711);
    set_mode("d", 0o2700);
    symlink("/run", folder.path().join("link")).unwrap();
    fs::hard_link(folder.path().join("run"), folder.path().join("twin")).unwrap();
    let _socket = UnixListener::bind(folder.path().join("socket")).unwrap();
    set_mode("socket", 0o600);
    rustix::fs::mkfifoat(rustix::fs::CWD, folder.path().join("pipe"), 0o600.into()).unwrap();
    let tree = read(folder.path(), &ContextOptions::default());
    let header = |mode| Header::new(mode, 0, 0);
    let mut hasher = EntryHasher::new(&header(0o4711), &EntryKind::File { size: 3 });
    hasher.update(b"abc");
    let run = Entry::file(header(0o4711), 3, hasher.finish());
    for (path, entry) in [
        ("run", run.clone()),
        ("twin", run),
        ("d", Entry::of(header(0o2700), EntryKind::Folder)),
        ("link", Entry::of(header(0o777), EntryKind::Symlink { target: b"/run".to_vec() })),
        ("socket", Entry::of(header(0o600), EntryKind::File { size: 0 })),
        ("pipe", Entry::of(header(0o600), EntryKind::Fifo)),
    ] {
        assert_eq!(tree.get(path.as_bytes()), Some(&entry), "{path}");
    }
    assert_eq!(tree.iter().count(), 6);
}

#[test]
fn times_do_not_count_and_attributes_do() {
    let folder = folder(&[("a", "1"), ("b", "1")]);
    let path = |name: &str| folder.path().join(name);
    fs::File::open(path("a")).unwrap().set_modified(std::time::SystemTime::UNIX_EPOCH).unwrap();
    let tree = read(folder.path(), &ContextOptions::default());
    assert_eq!(tree.get(b"a"), tree.get(b"b"));
    let set = |name: &str, value: &[u8]| {
        rustix::fs::setxattr(path("b"), name, value, rustix::fs::XattrFlags::empty())
    };
    match set("user.long", &[1; 3000]) {
        // Some file systems have none.
        Err(rustix::io::Errno::NOTSUP) => return,
        set => set.unwrap(),
    }
    set("user.x", b"yes").unwrap();
    let tree = read(folder.path(), &ContextOptions::default());
    let xattrs = [(b"user.long".to_vec(), vec![1; 3000]), (b"user.x".to_vec(), b"yes".to_vec())];
    let header = tree.get(b"a").unwrap().header().clone().with_xattrs(xattrs);
    assert_eq!(tree.get(b"b").unwrap().header(), &header);
    assert_ne!(tree.get(b"a").unwrap().digest(), tree.get(b"b").unwrap().digest());
}

#[test]
fn the_ignore_file_beside_the_dockerfile_wins() {
    let folder = folder(&[
        (".dockerignore", "a\n"),
        ("build/Dockerfile", ""),
        ("build/Dockerfile.dockerignore", "b\nbuild\n"),
        ("a", ""),
        ("b", ""),
        ("other", "a\nb\n*ignore\nbuild\nother"),
    ]);
    let path = |name: &str| folder.path().join(name);
    let read = |ignore| paths(&read(folder.path(), &with_ignore(ignore)));
    let all = ["build", "build/Dockerfile", "build/Dockerfile.dockerignore"];
    assert_eq!(read(IgnoreFile::InFolder), [&[".dockerignore", "b"][..], &all, &["other"]].concat());
    assert_eq!(read(IgnoreFile::OfDockerfile(path("build/Dockerfile"))), [".dockerignore", "a", "other"]);
    assert_eq!(read(IgnoreFile::OfDockerfile(path("none"))), read(IgnoreFile::InFolder));
    assert_eq!(read(IgnoreFile::Given(path("other"))), Vec::<String>::new());
    assert_eq!(read(IgnoreFile::Absent).len(), 7);
}

#[test]
fn a_folder_is_sent_with_an_entry_in_it_that_is_an_exception() {
    let folder = folder(&[
        (".dockerignore", "**\n!src/deep/app.js\n"),
        ("src/deep/app.js", ""),
        ("src/deep/other.js", ""),
        ("src/wide/other.js", ""),
    ]);
    fs::set_permissions(folder.path().join("src"), fs::Permissions::from_mode(0o710)).unwrap();
    let tree = read(folder.path(), &ContextOptions::default());
    assert_eq!(paths(&tree), ["src", "src/deep", "src/deep/app.js"]);
    assert_eq!(tree.get(b"src").unwrap().header().mode, 0o710);
}

#[test]
fn the_patterns_of_a_local_source_apply_too() {
    let folder =
        folder(&[(".dockerignore", "*.log"), ("a/x.log", ""), ("a/x.js", ""), ("a/y.js", ""), ("b", "")]);
    let mut options = ContextOptions::default();
    options.include = vec!["a".to_owned()];
    options.exclude = vec!["a/y.*".to_owned()];
    assert_eq!(paths(&read(folder.path(), &options)), ["a", "a/x.js", "a/x.log"]);
    options.include = vec!["none".to_owned()];
    assert!(read(folder.path(), &options).is_empty());
}

#[test]
fn a_link_to_a_folder_is_that_folder() {
    let folder = folder(&[("real/a", "1")]);
    symlink("real", folder.path().join("link")).unwrap();
    let options = ContextOptions::default();
    let [real, link] = ["real", "link"].map(|name| paths(&read(&folder.path().join(name), &options)));
    assert_eq!(real, link);
}

#[test]
fn progress_names_all_files_and_bytes() {
    let large = "x".repeat((16 << 20) + 5);
    let folder = folder(&[("a", "12345"), ("d/b", &large), ("empty", "")]);
    let events = Mutex::new(Vec::new());
    let progress = |event: &Event<'_>| {
        let counted = match event {
            Event::ReadingFiles { files, bytes, .. } => ("plan", *files, *bytes),
            Event::FilesRead { files, bytes } => ("read", *files, *bytes),
            other => panic!("{other:?}"),
        };
        events.lock().unwrap().push(counted);
    };
    read_context(folder.path(), &ContextOptions::default(), &progress).unwrap();
    let events = events.into_inner().unwrap();
    let bytes = large.len() as u64 + 5;
    assert_eq!(events[0], ("plan", 3, bytes));
    let read =
        events[1..].iter().fold((0, 0), |(files, bytes), (_, more, read)| (files + more, bytes + read));
    assert_eq!(read, (3, bytes));
    assert!(events.len() > 4, "a large file is reported in parts");
}

#[test]
fn bytes_are_hashed_under_other_headers_in_the_same_pass() {
    let folder = folder(&[("d/x", "12345")]);
    fs::set_permissions(folder.path().join("d/x"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut options = ContextOptions::default();
    let other = Header::new(0o755, 7, 7);
    let also = other.clone();
    options.also = Arc::new(move |path, header, size| {
        assert_eq!((path, header, size), (b"d/x".as_slice(), &Header::new(0o600, 0, 0), 5));
        vec![also.clone()]
    });
    let tree = read(folder.path(), &options);
    let mut hasher = EntryHasher::new(&other, &EntryKind::File { size: 5 });
    hasher.update(b"12345");
    assert_eq!(tree.get(b"d/x").unwrap().digest_as(&other), Some(hasher.finish()));
}

#[test]
fn what_cannot_be_read_is_an_error_that_says_what_to_do() {
    let folder = folder(&[("a", "1"), ("bad", "a\n[z-a\n")]);
    let path = |name: &str| folder.path().join(name);
    let error =
        |path: &Path, options: &ContextOptions| read_context(path, options, &()).unwrap_err().to_string();
    let options = ContextOptions::default();
    let none = error(&path("none"), &options);
    assert!(
        none.ends_with("/none cannot be read as a context: No such file or directory (os error 2)"),
        "{none}"
    );
    let file = error(&path("a"), &options);
    assert!(file.ends_with("/a cannot be read as a context: Not a directory (os error 20)"), "{file}");
    let ignore = error(folder.path(), &with_ignore(IgnoreFile::Given(path("none"))));
    assert!(ignore.ends_with("/none cannot be read: No such file or directory (os error 2)"), "{ignore}");
    let bad = error(folder.path(), &with_ignore(IgnoreFile::Given(path("bad"))));
    assert!(bad.contains("[z-a"), "{bad}");
    fs::create_dir(path(".dockerignore")).unwrap();
    let is_folder = error(folder.path(), &options);
    assert!(is_folder.contains(".dockerignore cannot be read"), "{is_folder}");
}

/// The error of a folder in which something happens to the file `a` between the walk and the reading of files.
fn error_after(change: impl Fn(&Path) + Send + Sync) -> String {
    let folder = folder(&[("a", "12345"), ("b", "1")]);
    let progress = |event: &Event<'_>| {
        if matches!(event, Event::ReadingFiles { .. }) {
            change(&folder.path().join("a"));
        }
    };
    read_context(folder.path(), &ContextOptions::default(), &progress).unwrap_err().to_string()
}

#[test]
fn a_file_that_changes_while_it_is_read_is_an_error() {
    for text in ["1234", "123456", ""] {
        let error = error_after(|path| fs::write(path, text).unwrap());
        let expected =
            "/a changed while it was read: run the command again when nothing writes to the folder";
        assert!(error.ends_with(expected), "{error}");
    }
}

#[test]
fn an_entry_that_cannot_be_read_is_named() {
    let advice = "; if the build does not need it, add it to .dockerignore";
    let gone = error_after(|path| fs::remove_file(path).unwrap());
    assert!(
        gone.ends_with(&format!("/a cannot be read: No such file or directory (os error 2){advice}")),
        "{gone}"
    );
    let replaced = error_after(|path| {
        fs::remove_file(path).unwrap();
        fs::create_dir(path).unwrap();
    });
    assert!(
        replaced.ends_with(&format!("/a cannot be read: Is a directory (os error 21){advice}")),
        "{replaced}"
    );
}
