//! The hasher against `sha2`, for any messages in any pieces.

use cache_hash::{LANES, Sha256, update_together};
use proptest::collection::vec;
use proptest::prelude::*;
use sha2::Digest as _;

fn expected(message: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(message).into()
}

fn bytes(len: usize) -> Vec<u8> {
    (0..len).map(|n| u8::try_from(n % 251).unwrap_or_default()).collect()
}

#[test]
fn the_examples_of_the_standard_have_their_digests() {
    let hex = |message: &[u8]| Sha256::digest(message).map(|byte| format!("{byte:02x}")).concat();
    assert_eq!(hex(b""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_eq!(hex(b"abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_eq!(
        hex(b"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
    );
}

#[test]
fn messages_of_every_length_around_a_block_are_padded_correctly() {
    for len in 0..=300 {
        assert_eq!(Sha256::digest(&bytes(len)), expected(&bytes(len)), "{len} bytes");
    }
}

#[test]
fn any_number_of_messages_of_any_lengths_can_be_hashed_together() {
    for count in 0..=2 * LANES + 1 {
        let messages: Vec<Vec<u8>> = (0..count).map(|n| bytes(1000 * n + n)).collect();
        let mut hashers = vec![Sha256::new(); count];
        let mut parts: Vec<_> = hashers.iter_mut().zip(&messages).map(|(h, m)| (h, m.as_slice())).collect();
        update_together(&mut parts);
        let digests: Vec<_> = hashers.into_iter().map(Sha256::finish).collect();
        assert_eq!(digests, messages.iter().map(|message| expected(message)).collect::<Vec<_>>());
    }
}

proptest! {
    /// Law: a message in pieces has the digest of the whole message.
    #[test]
    fn one_update_after_the_other_is_one_message(pieces in vec(vec(any::<u8>(), 0..200), 0..8)) {
        let mut hasher = Sha256::new();
        pieces.iter().for_each(|piece| hasher.update(piece));
        prop_assert_eq!(hasher.finish(), expected(&pieces.concat()));
    }

    /// Law: messages that are hashed together, a piece of each in every round, have the digests that they have alone.
    #[test]
    fn messages_hashed_together_have_the_digests_that_they_have_alone(
        rounds in vec(vec(vec(any::<u8>(), 0..400), 5), 0..6),
    ) {
        let mut hashers = vec![Sha256::new(); 5];
        for pieces in &rounds {
            let mut parts: Vec<_> = hashers.iter_mut().zip(pieces).map(|(h, p)| (h, p.as_slice())).collect();
            update_together(&mut parts);
        }
        for (n, hasher) in hashers.into_iter().enumerate() {
            let message: Vec<u8> = rounds.iter().filter_map(|pieces| pieces.get(n)).flatten().copied().collect();
            prop_assert_eq!(hasher.finish(), expected(&message));
        }
    }
}
