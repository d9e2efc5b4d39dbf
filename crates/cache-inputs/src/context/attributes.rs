//! Names, modes, devices and extended attributes of files, on each system as the client of BuildKit sends them
//! (tonistiigi/fsutil, `stat.go`).

use std::ffi::OsStr;
use std::fs::Metadata;
use std::path::{Path, PathBuf};

use cache_keys::EntryKind;

/// The bytes of a name.
#[cfg(unix)]
pub(super) fn name_bytes(name: &OsStr) -> Vec<u8> {
    std::os::unix::ffi::OsStrExt::as_bytes(name).to_vec()
}

/// The bytes of a name, with `/` for a separator.
#[cfg(not(unix))]
pub(super) fn name_bytes(name: &OsStr) -> Vec<u8> {
    name.to_string_lossy().replace('\\', "/").into_bytes()
}

/// The file at a path below a folder.
#[cfg(unix)]
pub(super) fn path_below(root: &Path, path: &[u8]) -> PathBuf {
    root.join(<OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(path))
}

/// The file at a path below a folder.
#[cfg(not(unix))]
pub(super) fn path_below(root: &Path, path: &[u8]) -> PathBuf {
    root.join(String::from_utf8_lossy(path).as_ref())
}

/// Permissions, with the bits for setuid, setgid and sticky.
#[cfg(unix)]
pub(super) fn mode_of(metadata: &Metadata) -> u32 {
    std::os::unix::fs::MetadataExt::mode(metadata) & 0o7777
}

/// What the client makes of permissions on a system that has no others.
#[cfg(not(unix))]
pub(super) fn mode_of(metadata: &Metadata) -> u32 {
    if metadata.permissions().readonly() { 0o555 } else { 0o755 }
}

/// What a device or pipe is; `None` for another entry. A socket is sent as an empty file.
#[cfg(unix)]
pub(super) fn special_kind(metadata: &Metadata) -> Option<EntryKind> {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let kind = metadata.file_type();
    let device = device_number(metadata.rdev());
    match (kind.is_char_device(), kind.is_block_device(), kind.is_fifo()) {
        (true, ..) => Some(EntryKind::CharDevice(device)),
        (_, true, _) => Some(EntryKind::BlockDevice(device)),
        (.., true) => Some(EntryKind::Fifo),
        _ => None,
    }
}

/// The parts of a device's number, as the client takes them apart on every system.
#[cfg(unix)]
fn device_number(device: u64) -> cache_keys::DeviceNumber {
    let part = |bits: u64| u32::try_from(bits).unwrap_or_default();
    cache_keys::DeviceNumber {
        major: part((device >> 8) & 0xfff),
        minor: part((device & 0xff) | ((device >> 12) & 0xf_ff00)),
    }
}

/// There are no devices and pipes in folders.
#[cfg(not(unix))]
pub(super) fn special_kind(_: &Metadata) -> Option<EntryKind> {
    None
}

/// The extended attributes of a file, or of a link itself. Those that cannot be read are left out, as the client does; so are
/// those of the Finder.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
pub(super) fn xattrs_of(path: &Path) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    use rustix::fs::{lgetxattr, llistxattr};
    use rustix::io::Errno;
    let names = match grown(|buffer| llistxattr(path, buffer)) {
        Ok(names) => names,
        Err(Errno::NOTSUP) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    let names = names.split(|byte| *byte == 0).filter(|name| !name.is_empty());
    let sent = names.filter(|name| !name.starts_with(b"com.apple."));
    let pairs =
        sent.filter_map(|name| Some((name.to_vec(), grown(|buffer| lgetxattr(path, name, buffer)).ok()?)));
    Ok(pairs.collect())
}

/// There are none that the client sends.
#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
pub(super) fn xattrs_of(_: &Path) -> std::io::Result<Vec<(Vec<u8>, Vec<u8>)>> {
    Ok(Vec::new())
}

/// What a call writes into a buffer that is large enough for it. Most often nothing.
#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn grown(call: impl Fn(&mut [u8]) -> rustix::io::Result<usize>) -> rustix::io::Result<Vec<u8>> {
    let mut buffer = vec![0; 256];
    loop {
        match call(&mut buffer) {
            Ok(len) => {
                buffer.truncate(len);
                return Ok(buffer);
            }
            // Linux has no attribute above 64 KiB.
            Err(rustix::io::Errno::RANGE) if buffer.len() < 1 << 20 => buffer.resize(buffer.len() * 8, 0),
            Err(error) => return Err(error),
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_device_number_is_taken_apart() {
        let parts = |device| (device_number(device).major, device_number(device).minor);
        // `/dev/null`, and a device of many partitions.
        assert_eq!(parts(0x103), (1, 3));
        assert_eq!(parts((0x12345 >> 8 << 20) | (0x103 << 8) | 0x45), (0x103, 0x12345));
    }
}
