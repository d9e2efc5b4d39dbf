//! Content checksums, against those of BuildKit's own code.

use std::path::Path;

use cache_keys::{
    ContentRule, ContentSelector, DeviceNumber, Entry, EntryHasher, EntryKind, Header, SentFilter,
    SentFolder, Tree,
};
use cache_model::{Digest, RecordDigest};
use data_encoding::BASE64;
use serde_json::Value;

fn vectors() -> Vec<Value> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/content.ndjson");
    let text = std::fs::read_to_string(file).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A text, or bytes in base64 where they are no text.
fn bytes(value: &Value) -> Vec<u8> {
    match value {
        Value::Object(object) => decoded(&object["base64"]),
        _ => value.as_str().unwrap_or_default().as_bytes().to_vec(),
    }
}

fn decoded(value: &Value) -> Vec<u8> {
    BASE64.decode(value.as_str().unwrap_or_default().as_bytes()).unwrap()
}

fn number(value: &Value) -> u32 {
    u32::try_from(value.as_u64().unwrap_or_default()).unwrap()
}

fn texts(value: &Value) -> Vec<String> {
    let texts = value.as_array().map(Vec::as_slice).unwrap_or_default();
    texts.iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

fn entry(value: &Value, is_local: bool) -> Entry {
    let owner = |name: &str| if is_local { 0 } else { number(&value[name]) };
    let xattrs = value["xattrs"].as_object().into_iter().flatten();
    let header = Header::new(number(&value["mode"]), owner("uid"), owner("gid"))
        .with_xattrs(xattrs.map(|(name, value)| (name.as_bytes().to_vec(), decoded(value))));
    let mut device = DeviceNumber::default();
    if is_local && value["device"].is_array() {
        (device.major, device.minor) = (number(&value["device"][0]), number(&value["device"][1]));
    }
    let kind = match value["kind"].as_str().unwrap() {
        "file" => {
            let data = decoded(&value["data"]);
            let size = data.len() as u64;
            let mut hasher = EntryHasher::new(&header, &EntryKind::File { size });
            data.chunks(100).for_each(|chunk| hasher.update(chunk));
            return Entry::file(header, size, hasher.finish());
        }
        "folder" => EntryKind::Folder,
        "symlink" => EntryKind::Symlink { target: bytes(&value["target"]) },
        "char" => EntryKind::CharDevice(device),
        "fifo" => EntryKind::Fifo,
        other => panic!("{other}"),
    };
    Entry::of(header, kind)
}

/// The tree of a vector. Of a local folder only what a client sends is in it.
fn tree(vector: &Value) -> Tree {
    let is_local = vector["source"] == "local folder";
    let mut all = if is_local { Tree::sent() } else { Tree::rooted(Header::default()) };
    for value in vector["tree"].as_array().unwrap() {
        all.insert(&bytes(&value["path"]), entry(value, is_local));
    }
    let sent = &vector["sent"];
    if sent.is_null() {
        return all;
    }
    let filter = SentFilter::new(&texts(&sent["include"]), &texts(&sent["exclude"])).unwrap();
    let mut sent = Tree::sent();
    let mut left: Vec<(Vec<u8>, SentFolder)> = vec![(Vec::new(), filter.root())];
    while let Some((folder, known)) = left.pop() {
        for (name, entry) in all.children(&folder) {
            let mut path = folder.clone();
            if !path.is_empty() {
                path.push(b'/');
            }
            path.extend_from_slice(name);
            let verdict = filter.check(&known, &path, entry.is_folder()).unwrap();
            if verdict.is_sent {
                sent.insert(&path, entry.clone());
            }
            left.extend(verdict.folder.map(|known| (path, known)));
        }
    }
    // A folder above an entry that is sent is sent, too.
    let made: Vec<Vec<u8>> = sent.iter().map(|(path, _)| path).collect();
    made.iter().for_each(|path| sent.insert(path, all.get(path).unwrap().clone()));
    sent
}

fn selector(value: &Value) -> ContentSelector {
    let mut selector = ContentSelector::new(value["path"].as_str().unwrap());
    selector.wildcard = value["wildcard"] == true;
    selector.follow = value["follow"] == true;
    (selector.include, selector.exclude) = (texts(&value["include"]), texts(&value["exclude"]));
    selector
}

#[test]
fn checksums_are_those_of_buildkit() {
    let (mut checksums, mut errors) = (0, 0);
    for vector in vectors() {
        let tree = tree(&vector);
        for value in vector["selectors"].as_array().unwrap() {
            let context = || format!("{} {value}\n{tree:?}", vector["name"]);
            let selector = selector(value);
            let found = tree.checksum(&selector);
            let rule = ContentRule::new(vec![selector]);
            let content = tree.content(&rule);
            let selected = tree.selected(&rule);
            if value["error"] == true {
                assert!(found.is_err() && content.is_err(), "{}", context());
                errors += 1;
                continue;
            }
            let expected: Digest = value["checksum"].as_str().unwrap().parse().unwrap();
            assert_eq!(found, Ok(expected), "{}", context());
            let expected = RecordDigest::of_content(Digest::of(expected.to_string()));
            assert_eq!(content, Ok(expected), "{}", context());
            for path in selected.unwrap() {
                assert!(tree.get(&path).is_some(), "{}", context());
            }
            checksums += 1;
        }
    }
    assert_eq!((checksums, errors), (2_100, 400));
}
