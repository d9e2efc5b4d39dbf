//! The entries of a tree as lines of a label, about 80 bytes for a file: its path, kind, header, size and digest.
//!
//! Paths are bytes. One that is no text stands in base64, in an object.

use cache_explain::comparison_header;
use cache_keys::{DeviceNumber, Entry, EntryKind, Header, LayerEntry, LayerTree, LinkBelow, Tree};
use data_encoding::{BASE64, BASE64_NOPAD};
use serde_json::{Value, json};

/// An entry as a line: `[path, kind, mode, uid, gid, what is special to the kind, extended attributes]`.
pub(crate) fn entry_line(path: &[u8], entry: &Entry) -> Value {
    let header = entry.header();
    let device = |number: &DeviceNumber| json!([number.major, number.minor]);
    let (kind, special) = match entry.kind() {
        EntryKind::File { size } => ("f", file_text(*size, entry)),
        EntryKind::Folder => ("d", Value::Null),
        EntryKind::Symlink { target } => ("l", bytes_text(target)),
        EntryKind::CharDevice(number) => ("c", device(number)),
        EntryKind::BlockDevice(number) => ("b", device(number)),
        EntryKind::Fifo => ("p", Value::Null),
    };
    let mut line =
        vec![bytes_text(path), kind.into(), header.mode.into(), header.uid.into(), header.gid.into()];
    let attributes: Vec<Value> =
        header.xattrs.iter().map(|(name, value)| json!([bytes_text(name), BASE64.encode(value)])).collect();
    if !special.is_null() || !attributes.is_empty() {
        line.push(special);
    }
    if !attributes.is_empty() {
        line.push(attributes.into());
    }
    line.into()
}

/// The size of a file, its digest, and its digest under the header by which files are compared, if that is another one.
fn file_text(size: u64, entry: &Entry) -> Value {
    let mut text: Vec<Value> = vec![size.into(), BASE64_NOPAD.encode(entry.digest()).into()];
    let compared = entry.digest_as(&comparison_header()).filter(|compared| compared != entry.digest());
    text.extend(compared.map(|compared| BASE64_NOPAD.encode(&compared).into()));
    text.into()
}

/// Reads the line of an entry.
pub(crate) fn read_entry(line: &[Value]) -> Option<(Vec<u8>, Entry)> {
    let [path, kind, mode, uid, gid, rest @ ..] = line else { return None };
    let mut header = Header::new(number(mode)?, number(uid)?, number(gid)?);
    if let Some(attributes) = rest.get(1) {
        let read = |pair: &Value| {
            Some((text_bytes(pair.get(0)?)?, BASE64.decode(pair.get(1)?.as_str()?.as_bytes()).ok()?))
        };
        let attributes: Vec<_> = attributes.as_array()?.iter().map(read).collect::<Option<_>>()?;
        header = header.with_xattrs(attributes);
    }
    let special = rest.first().unwrap_or(&Value::Null);
    let device = || Some(DeviceNumber { major: number(special.get(0)?)?, minor: number(special.get(1)?)? });
    let kind = match kind.as_str()? {
        "f" => {
            let size = special.get(0)?.as_u64()?;
            let digest = |text: &Value| -> Option<[u8; 32]> {
                BASE64_NOPAD.decode(text.as_str()?.as_bytes()).ok()?.try_into().ok()
            };
            let mut file = Entry::file(header, size, digest(special.get(1)?)?);
            if let Some(compared) = special.get(2) {
                file = file.with_digest_as(comparison_header(), digest(compared)?);
            }
            return Some((text_bytes(path)?, file));
        }
        "d" => EntryKind::Folder,
        "l" => EntryKind::Symlink { target: text_bytes(special)? },
        "c" => EntryKind::CharDevice(device()?),
        "b" => EntryKind::BlockDevice(device()?),
        "p" => EntryKind::Fifo,
        _ => return None,
    };
    Some((text_bytes(path)?, Entry::of(header, kind)))
}

/// The lines of a layer's entries, `[path, "w"]` or `[path, "o"]` for what it hides, and `[path, "h", mode, uid, gid, target]` for hard
/// links to files of the layers below.
pub(crate) fn layer_lines(layer: &LayerTree) -> Vec<Value> {
    let entries = layer.entries().map(|(path, entry)| entry_line(&path, entry));
    let whiteouts = layer.whiteouts().map(|path| json!([bytes_text(path), "w"]));
    let opaque = layer.opaque_folders().map(|path| json!([bytes_text(path), "o"]));
    let links = layer.links_below().map(|(path, link)| {
        let LinkBelow { target, header } = link;
        json!([bytes_text(path), "h", header.mode, header.uid, header.gid, bytes_text(target)])
    });
    entries.chain(whiteouts).chain(opaque).chain(links).collect()
}

/// Adds a line to a layer. `None` for a line that a layer cannot have.
pub(crate) fn add_to_layer(layer: &mut LayerTree, line: &[Value]) -> Option<()> {
    let (name, entry) = match line {
        [path, hides] => {
            let path = text_bytes(path)?;
            let name = match hides.as_str()? {
                "w" => {
                    let at = path.iter().rposition(|byte| *byte == b'/').map_or(0, |slash| slash + 1);
                    let (folder, name) = path.split_at(at);
                    [folder, b".wh.", name].concat()
                }
                "o" => [&path, &b"/.wh..wh..opq"[..]].concat(),
                _ => return None,
            };
            (name, LayerEntry::Entry(Entry::of(Header::default(), EntryKind::File { size: 0 })))
        }
        [path, kind, mode, uid, gid, target] if kind == "h" => {
            let header = Header::new(number(mode)?, number(uid)?, number(gid)?);
            (text_bytes(path)?, LayerEntry::HardLink { target: text_bytes(target)?, header })
        }
        line => {
            let (path, entry) = read_entry(line)?;
            (path, LayerEntry::Entry(entry))
        }
    };
    layer.add(&name, entry).ok()
}

/// Adds a line to the tree of a folder. `None` if it is none, or if the folder above it has not come before: a deep path is then
/// as many lines as it makes entries.
pub(crate) fn add_to_tree(tree: &mut Tree, line: &[Value]) -> Option<()> {
    let (path, entry) = read_entry(line)?;
    let folder = path.iter().rposition(|byte| *byte == b'/').and_then(|slash| path.get(..slash));
    tree.get(folder.unwrap_or_default()).filter(|folder| folder.is_folder())?;
    tree.insert(&path, entry);
    Some(())
}

fn number(value: &Value) -> Option<u32> {
    u32::try_from(value.as_u64()?).ok()
}

/// Bytes as a text, or in base64 where they are none.
fn bytes_text(bytes: &[u8]) -> Value {
    match str::from_utf8(bytes) {
        Ok(text) => text.into(),
        Err(_) => json!({"base64": BASE64.encode(bytes)}),
    }
}

fn text_bytes(value: &Value) -> Option<Vec<u8>> {
    match value.as_str() {
        Some(text) => Some(text.as_bytes().to_vec()),
        None => BASE64.decode(value.get("base64")?.as_str()?.as_bytes()).ok(),
    }
}
