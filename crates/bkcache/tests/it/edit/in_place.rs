//! `--in-place`: the tag that was read is replaced, and only if nobody has changed it meanwhile.

use std::path::Path;
use std::sync::Mutex;

use serde_json::Value;
use test_registries::{Answer, Behavior, Registry, Request, Server, Service};

use super::builds::{BUILD, NOW, Step, export, sorted};
use crate::support::caches::records;
use crate::support::{Ran, bkcache, copy_of, fixture, program, run};

fn prune(options: &[&str], place: &str) -> Ran {
    let args = ["prune", "--progress", "none", "--in-place", "--older-than", "27d"];
    run(program().env("SOURCE_DATE_EPOCH", NOW).args(args).args(options).arg(place), b"")
}

/// The tags of a layout's index and their manifests.
fn tags(layout: &Path) -> Vec<(String, String)> {
    let index: Value = serde_json::from_slice(&std::fs::read(layout.join("index.json")).unwrap()).unwrap();
    let entry = |entry: &Value| {
        let tag = entry["annotations"]["org.opencontainers.image.ref.name"].as_str().unwrap();
        (tag.to_owned(), entry["digest"].as_str().unwrap().to_owned())
    };
    index["manifests"].as_array().unwrap().iter().map(entry).collect()
}

#[test]
fn a_tag_of_a_folder_is_replaced_and_every_other_stays() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("cache");
    let at = |tag: &str| format!("{}:{tag}", layout.display());
    for tag in ["main", "other"] {
        export(folder.path(), &at(tag), BUILD);
    }
    let [(_, before), _] = &tags(&layout)[..] else { panic!("two tags") };
    let ran = prune(&[], &at("main")).ok();
    insta::assert_snapshot!("folder", ran.shown(folder.path()).replace(before, "BEFORE"));
    assert_eq!((records(&at("main")).len(), records(&at("other")).len()), (3, 5));
    bkcache(["verify", &at("main")]).ok();
    // By attributes, a source is named by `src`.
    let src = format!("type=local,src={},tag=other", layout.display());
    prune(&[], &src).ok();
    assert_eq!(records(&at("other")).len(), 3);
    let [main, other] = &tags(&layout)[..] else { panic!("no third tag is made") };
    assert_eq!((main.0.as_str(), other.0.as_str(), &main.1), ("main", "other", &other.1));
}

#[test]
fn every_form_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    for form in ["manifest", "index", "docker"] {
        let place = format!("{}:{form}", folder.path().join("cache").display());
        bkcache([
            "copy",
            "-q",
            "--form",
            form,
            &fixture("app-max-manifest-oci-gzip").display().to_string(),
            &place,
        ])
        .ok();
        bkcache(["prune", "-q", "--in-place", "--fit", "4000", &place]).ok();
        let shown = bkcache(["inspect", "--json", &place]).ok().json();
        assert_eq!(shown["caches"][0]["form"], form);
    }
}

#[test]
fn a_tag_that_was_not_named_is_never_guessed() {
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("cache");
    export(folder.path(), &format!("{}:main", layout.display()), BUILD);
    let before = tags(&layout);
    let ran = prune(&[], &layout.display().to_string());
    insta::assert_snapshot!("not_named", ran.shown(folder.path()));
    assert_eq!((ran.code, tags(&layout)), (1, before));
    export(folder.path(), &layout.display().to_string(), BUILD);
    prune(&[], &layout.display().to_string()).ok();
    assert_eq!((records(&layout.display().to_string()).len(), tags(&layout).len()), (3, 2));
}

#[test]
fn an_image_with_a_cache_inside_is_not_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let image = copy_of("inline-oci-true", &folder.path().join("image"));
    let before = std::fs::read(image.join("index.json")).unwrap();
    let place = format!("{}:example.com/app:inline", image.display());
    let ran = prune(&[], &place);
    insta::assert_snapshot!("image", ran.shown(folder.path()));
    assert_eq!((ran.code, std::fs::read(image.join("index.json")).unwrap()), (1, before));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_a_registry_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(Registry::new(Behavior::default())).await;
    let place = format!("{}/app:main", server.host());
    export(folder.path(), &place, BUILD);
    let ran = prune(&[], &place).ok();
    let line = "\nthe registry's garbage collector deletes the blobs that no tag needs any more\n";
    assert!(ran.text().ends_with(line), "{}", ran.text());
    assert_eq!(records(&place).len(), 3);
    assert_eq!(server.service.content.tags("app").unwrap(), ["main"]);
    bkcache(["verify", &place]).ok();
}

/// A registry in which someone else moves the tag `main` of `app` while the config of its cache is read.
#[derive(Debug)]
struct Rival {
    registry: Registry,
    /// The digest of that config, and the tag whose manifest `main` gets.
    plan: Mutex<Option<(String, &'static str)>>,
}

impl Service for Rival {
    fn answer(&self, request: &Request, base: &str) -> Answer {
        let mut plan = self.plan.lock().unwrap();
        if let Some((_, tag)) = plan.take_if(|(config, _)| request.target.ends_with(config.as_str())) {
            let (_, media_type, manifest) = self.registry.content.manifest("app", tag).unwrap();
            self.registry.content.insert_manifest("app", Some("main"), &media_type, manifest);
        }
        drop(plan);
        self.registry.answer(request, base)
    }
}

/// A build of another process: it has a fresh tool.
const RIVAL: &[Step] = &[
    Step("source", &[], "", &[]),
    Step("base", &[0], "2026-01-01T00:00:00Z", &["base"]),
    Step("new tool", &[1], "2026-11-21T00:00:00Z", &["base", "new tools"]),
    Step("tool", &[1], "2026-02-01T00:00:00Z", &["base", "old tools"]),
];

/// What is left of it after 27 days.
const LEFT: [&str; 3] = ["source", "base", "new tool"];

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_of_a_registry_that_changed_meanwhile_is_pruned_as_it_is_then() {
    let folder = tempfile::tempdir().unwrap();
    let rival = Rival { registry: Registry::new(Behavior::default()), plan: Mutex::default() };
    let server = Server::start(rival).await;
    let place = |tag: &str| format!("{}/app:{tag}", server.host());
    export(folder.path(), &place("main"), BUILD);
    export(folder.path(), &place("rival"), RIVAL);
    let shown = bkcache(["inspect", "--json", &place("main")]).ok().json();
    let config = shown["caches"][0]["config"]["digest"].as_str().unwrap().to_owned();
    *server.service.plan.lock().unwrap() = Some((config, "rival"));
    let shown = prune(&["--json"], &place("main")).ok().json();
    assert_eq!(shown["attempts"], 2);
    assert_eq!(records(&place("main")), sorted(&LEFT));
}

/// The lock is held until the program tries to take it: by then it has read the tag.
#[cfg(target_os = "linux")]
#[test]
fn a_tag_of_a_folder_that_changed_meanwhile_is_pruned_as_it_is_then() {
    use rustix::fs::inotify;
    let folder = tempfile::tempdir().unwrap();
    let layout = folder.path().join("cache");
    let place = format!("{}:main", layout.display());
    export(folder.path(), &place, RIVAL);
    let rival = std::fs::read(layout.join("index.json")).unwrap();
    export(folder.path(), &place, BUILD);
    let path = layout.join("index.json.lock");
    let lock = std::fs::File::create(&path).unwrap();
    lock.try_lock().unwrap();
    let opened = inotify::init(inotify::CreateFlags::CLOEXEC).unwrap();
    inotify::add_watch(&opened, &path, inotify::WatchFlags::OPEN).unwrap();
    let waiting = std::thread::spawn({
        let place = place.clone();
        move || prune(&["--json"], &place)
    });
    let mut buffer = [std::mem::MaybeUninit::uninit(); 1024];
    inotify::Reader::new(opened, &mut buffer).next().unwrap();
    std::fs::write(layout.join("index.json"), &rival).unwrap();
    drop(lock);
    assert_eq!(waiting.join().unwrap().ok().json()["attempts"], 2);
    assert_eq!(records(&place), sorted(&LEFT));
}
