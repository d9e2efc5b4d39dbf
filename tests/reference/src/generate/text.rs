//! The texts of generated caches: digests, sizes, times and descriptors.

use super::dice::mixed;

const MINUTES_OF_A_DAY: u32 = 24 * 60;

/// A text with the form of a digest, which is another one for each text.
pub(crate) fn digest(of: &str) -> String {
    let word = |n: u64| {
        let words = of.bytes().fold(mixed(n + 1), |word, byte| mixed(word ^ u64::from(byte)));
        format!("{words:016x}")
    };
    format!("sha256:{}", (0..4).map(word).collect::<String>())
}

/// The JSON text of the descriptor of a layer. Its size follows from the digest.
pub(crate) fn descriptor(compression: &str, blob: &str, diff_id: &str) -> String {
    let media_type = format!("application/vnd.oci.image.layer.v1.tar+{compression}");
    let size = 100 + mixed(blob.bytes().fold(0, |size, byte| mixed(size ^ u64::from(byte)))) % 50_000;
    format!(
        r#"{{"mediaType":"{media_type}","digest":"{blob}","size":{size},"annotations":{{"containerd.io/uncompressed":"{diff_id}"}}}}"#
    )
}

/// The text of an instant, in minutes since the beginning of January 2026, of which there are at most 28 days.
pub(crate) fn time(minutes: u32) -> String {
    let (day, minute) = (minutes / MINUTES_OF_A_DAY + 1, minutes % MINUTES_OF_A_DAY);
    format!("2026-01-{day:02}T{:02}:{:02}:00Z", minute / 60, minute % 60)
}
