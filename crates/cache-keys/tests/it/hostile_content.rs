//! Trees and patterns that nobody has but that a cache from outside may bring: deep, wide, in a circle, exploding.

use std::time::{Duration, Instant};

use cache_keys::{
    ContentError, ContentSelector, Entry, EntryKind, Header, PatternError, Patterns, SentFilter, Tree,
    TreePath, path_match,
};

fn file() -> Entry {
    Entry::of(Header::new(0o644, 0, 0), EntryKind::File { size: 0 })
}

fn link(target: &str) -> Entry {
    Entry::of(Header::new(0o777, 0, 0), EntryKind::Symlink { target: target.as_bytes().to_vec() })
}

fn selector(path: &str, follow: bool, exclude: &[&str]) -> ContentSelector {
    let mut selector = ContentSelector::new(path);
    (selector.wildcard, selector.follow) = (path.contains('*'), follow);
    selector.exclude = exclude.iter().map(|text| (*text).to_owned()).collect();
    selector
}

#[test]
fn a_path_of_fifty_thousand_folders_needs_no_stack() {
    let path = b"a/".repeat(50_000);
    let mut tree = Tree::rooted(Header::default());
    tree.insert(&path, file());
    let before = tree.checksum(&selector("/", false, &[])).unwrap();
    assert_eq!(tree.resolve(&path, true).map(|path| path.len()), Ok(99_999));
    assert!(tree.checksum(&selector(&"/a".repeat(50_000), false, &[])).is_ok());
    assert!(tree.clone().remove(b"a"));
    tree.insert(&path, link("b"));
    assert_ne!(tree.checksum(&selector("/", false, &[])), Ok(before));
}

#[test]
fn links_that_lead_in_a_circle_are_refused_and_255_links_are_followed() {
    let mut tree = Tree::sent();
    for n in 0..256 {
        tree.insert(format!("{n}").as_bytes(), link(&format!("/{}", n + 1)));
    }
    tree.insert(b"256", file());
    let refused = |path: &str| Err(ContentError::TooManyLinks(TreePath(path.as_bytes().to_vec())));
    assert_eq!(tree.checksum(&selector("/0", true, &[])), refused("/0"));
    assert!(tree.checksum(&selector("/1", true, &[])).is_ok());
    assert!(tree.checksum(&selector("/0", false, &[])).is_ok());
    tree.insert(b"loop/self", link("../loop/self"));
    let error = tree.resolve(b"/loop/self/x", false).unwrap_err().to_string();
    assert_eq!(
        error,
        "/loop/self/x leads through more than 255 symbolic links: remove the link that leads in a circle"
    );
}

#[test]
fn what_is_missing_is_named() {
    let tree = Tree::sent();
    let error = tree.checksum(&selector("/src/a\nb", false, &[])).unwrap_err();
    assert_eq!(error.to_string(), r"/src/a\nb is not among the files of the input");
    // With patterns it is an empty list.
    assert!(tree.checksum(&selector("/src", false, &["x"])).is_ok());
}

#[test]
fn names_of_the_byte_0xff_in_each_other_are_refused_before_they_take_quadratic_time() {
    let deep = |depth: usize| {
        let mut tree = Tree::sent();
        tree.insert(&b"\xff/".repeat(depth), file());
        tree.checksum(&selector("/", false, &[]))
    };
    assert!(deep(200).is_ok());
    let error = ContentError::TooManyRepeats { most: 65_536 };
    assert_eq!(deep(50_000), Err(error.clone()));
    assert!(error.to_string().contains("more than 65536 bytes"), "{error}");
    let started = Instant::now();
    let mut wide = Tree::sent();
    let folder = b"\xff/".repeat(1_000);
    for n in 0..2_000 {
        wide.insert(&[&*folder, b"\xff", n.to_string().as_bytes()].concat(), file());
    }
    assert_eq!(wide.checksum(&selector("/", false, &[])), Err(error));
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn patterns_that_make_other_matchers_explode_take_no_time() {
    let started = Instant::now();
    let name = "a".repeat(4_000);
    assert_eq!(path_match(&format!("{}b", "a*".repeat(500)), name.as_bytes()), Ok(false));
    assert_eq!(path_match(&format!("{}[b]", "*?".repeat(500)), name.as_bytes()), Ok(false));
    for pattern in [format!("{}b", "*a".repeat(100)), format!("{}b", "**/a*".repeat(50)), "?".repeat(500)] {
        let patterns = Patterns::parse(&[pattern]).unwrap();
        assert_eq!(patterns.matches(name.as_bytes()), Ok(false));
    }
    assert!(started.elapsed() < Duration::from_secs(30), "{:?}", started.elapsed());
}

#[test]
fn patterns_are_refused_with_the_reason() {
    let error = |pattern: &str| match Patterns::parse(&[pattern]) {
        Ok(patterns) => patterns.matches(b"a").unwrap_err().to_string(),
        Err(error) => error.to_string(),
    };
    assert_eq!(error("!"), r#"the pattern "!" is malformed: there is no exception behind the !"#);
    assert_eq!(error("a["), r#"the pattern "a[" is malformed: a [ has no ]"#);
    assert!(error(r"[z-\r]").ends_with(r"is malformed: the range z-\r ends before it begins"));
    assert_eq!(error("[z-a]"), r#"the pattern "[z-a]" is malformed: the range z-a ends before it begins"#);
    assert!(
        error(r"src\out").contains(r"\o has no meaning: write / between folders"),
        "{}",
        error(r"src\out")
    );
    assert!(error(&"?".repeat(100_000)).ends_with("is malformed: it is too long"));
    let many = vec!["a"; 10_000];
    assert_eq!(Patterns::parse(&many).unwrap_err(), PatternError::TooMany { count: 10_000, most: 8_192 });
    assert!(SentFilter::new(&["a[".to_owned()], &[]).is_err());
    let malformed = selector("/*[", false, &[]);
    assert!(matches!(Tree::sent().checksum(&malformed), Err(ContentError::Pattern(_))));
}

#[test]
fn an_entry_takes_less_than_a_hundred_bytes() {
    assert!(size_of::<Entry>() <= 88, "{}", size_of::<Entry>());
    assert!(size_of::<Header>() <= 24, "{}", size_of::<Header>());
}
