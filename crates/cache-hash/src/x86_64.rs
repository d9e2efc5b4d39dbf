//! The rounds of SHA-256 for two messages, interleaved, by the SHA extensions of x86-64.
//!
//! Two registers hold the state of a message in the order that the instructions need, `abef` and `cdgh` (Intel 64 and
//! IA-32 Architectures Software Developer's Manual, volume 2, SHA256RNDS2). Takes whole blocks only.

use std::arch::x86_64::{
    __m128i, _mm_add_epi32, _mm_alignr_epi8, _mm_extract_epi32, _mm_set_epi32, _mm_set_epi64x,
    _mm_setzero_si128, _mm_sha256msg1_epu32, _mm_sha256msg2_epu32, _mm_sha256rnds2_epu32, _mm_shuffle_epi8,
    _mm_shuffle_epi32,
};

use crate::sha256::Block;

/// The constants of the rounds, four at a time (FIPS 180-4, section 4.2.2).
const K: [[u32; 4]; 16] = [
    [0x428a_2f98, 0x7137_4491, 0xb5c0_fbcf, 0xe9b5_dba5],
    [0x3956_c25b, 0x59f1_11f1, 0x923f_82a4, 0xab1c_5ed5],
    [0xd807_aa98, 0x1283_5b01, 0x2431_85be, 0x550c_7dc3],
    [0x72be_5d74, 0x80de_b1fe, 0x9bdc_06a7, 0xc19b_f174],
    [0xe49b_69c1, 0xefbe_4786, 0x0fc1_9dc6, 0x240c_a1cc],
    [0x2de9_2c6f, 0x4a74_84aa, 0x5cb0_a9dc, 0x76f9_88da],
    [0x983e_5152, 0xa831_c66d, 0xb003_27c8, 0xbf59_7fc7],
    [0xc6e0_0bf3, 0xd5a7_9147, 0x06ca_6351, 0x1429_2967],
    [0x27b7_0a85, 0x2e1b_2138, 0x4d2c_6dfc, 0x5338_0d13],
    [0x650a_7354, 0x766a_0abb, 0x81c2_c92e, 0x9272_2c85],
    [0xa2bf_e8a1, 0xa81a_664b, 0xc24b_8b70, 0xc76c_51a3],
    [0xd192_e819, 0xd699_0624, 0xf40e_3585, 0x106a_a070],
    [0x19a4_c116, 0x1e37_6c08, 0x2748_774c, 0x34b0_bcb5],
    [0x391c_0cb3, 0x4ed8_aa4a, 0x5b9c_ca4f, 0x682e_6ff3],
    [0x748f_82ee, 0x78a5_636f, 0x84c8_7814, 0x8cc7_0208],
    [0x90be_fffa, 0xa450_6ceb, 0xbef9_a3f7, 0xc671_78f2],
];

/// Whether this processor has the SHA extensions.
pub(crate) fn has_sha() -> bool {
    is_x86_feature_detected!("sha") && is_x86_feature_detected!("ssse3") && is_x86_feature_detected!("sse4.1")
}

/// Hashes the next blocks of two messages, as many of each as the shorter slice has.
///
/// # Panics
/// If the processor lacks the extensions: see [`has_sha`].
#[expect(unsafe_code, reason = "the features of the processor are known only at run time")]
pub(crate) fn compress(states: [&mut [u32; 8]; 2], blocks: [&[Block]; 2]) {
    assert!(has_sha(), "the processor lacks the SHA extensions");
    // SAFETY: the line above has checked the target features of the function.
    unsafe { compress_with_sha(states, blocks) }
}

/// A register of each message.
type Pair = [__m128i; 2];

#[target_feature(enable = "sha,ssse3,sse4.1")]
fn compress_with_sha(states: [&mut [u32; 8]; 2], blocks: [&[Block]; 2]) {
    let (mut abef, mut cdgh) = ([_mm_setzero_si128(); 2], [_mm_setzero_si128(); 2]);
    for ((abef, cdgh), state) in abef.iter_mut().zip(&mut cdgh).zip(&states) {
        let [a, b, c, d, e, f, g, h] = **state;
        (*abef, *cdgh) = (register([f, e, b, a]), register([h, g, d, c]));
    }
    let [first, second] = blocks;
    for (first, second) in first.iter().zip(second) {
        let before = (abef, cdgh);
        let [mut a, mut b, mut c, mut d] = [[_mm_setzero_si128(); 2]; 4];
        for (at, words) in [&mut a, &mut b, &mut c, &mut d].into_iter().enumerate() {
            *words = [load(first, at), load(second, at)];
        }
        // Written out, so that everything stays in registers.
        four_rounds(&mut abef, &mut cdgh, &a, K[0]);
        four_rounds(&mut abef, &mut cdgh, &b, K[1]);
        four_rounds(&mut abef, &mut cdgh, &c, K[2]);
        four_rounds(&mut abef, &mut cdgh, &d, K[3]);
        macro_rules! sixteen_rounds {
            ($i:literal $j:literal $k:literal $l:literal) => {
                next_words(&mut a, &b, &c, &d);
                four_rounds(&mut abef, &mut cdgh, &a, K[$i]);
                next_words(&mut b, &c, &d, &a);
                four_rounds(&mut abef, &mut cdgh, &b, K[$j]);
                next_words(&mut c, &d, &a, &b);
                four_rounds(&mut abef, &mut cdgh, &c, K[$k]);
                next_words(&mut d, &a, &b, &c);
                four_rounds(&mut abef, &mut cdgh, &d, K[$l]);
            };
        }
        sixteen_rounds!(4 5 6 7);
        sixteen_rounds!(8 9 10 11);
        sixteen_rounds!(12 13 14 15);
        add(&mut abef, &before.0);
        add(&mut cdgh, &before.1);
    }
    for ((abef, cdgh), state) in abef.iter().zip(&cdgh).zip(states) {
        let ([f, e, b, a], [h, g, d, c]) = (numbers(*abef), numbers(*cdgh));
        *state = [a, b, c, d, e, f, g, h];
    }
}

#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn four_rounds(abef: &mut Pair, cdgh: &mut Pair, words: &Pair, k: [u32; 4]) {
    let mut sums = *words;
    add(&mut sums, &[register(k); 2]);
    for ((cdgh, abef), sums) in cdgh.iter_mut().zip(abef.iter()).zip(&sums) {
        *cdgh = _mm_sha256rnds2_epu32(*cdgh, *abef, *sums);
    }
    for ((abef, cdgh), sums) in abef.iter_mut().zip(cdgh.iter()).zip(&sums) {
        *abef = _mm_sha256rnds2_epu32(*abef, *cdgh, _mm_shuffle_epi32(*sums, 0x0e));
    }
}

/// Replaces the first four of sixteen words of each message's schedule by the four words that follow.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn next_words(a: &mut Pair, b: &Pair, c: &Pair, d: &Pair) {
    for ((a, b), (c, d)) in a.iter_mut().zip(b).zip(c.iter().zip(d)) {
        let sums = _mm_add_epi32(_mm_sha256msg1_epu32(*a, *b), _mm_alignr_epi8(*d, *c, 4));
        *a = _mm_sha256msg2_epu32(sums, *d);
    }
}

#[inline]
#[target_feature(enable = "sse2")]
fn add(to: &mut Pair, from: &Pair) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = _mm_add_epi32(*to, *from);
    }
}

/// Reads a quarter of a block: four big-endian words.
#[inline]
#[target_feature(enable = "sha,ssse3,sse4.1")]
fn load(block: &Block, at: usize) -> __m128i {
    let swapped = _mm_set_epi64x(0x0c0d_0e0f_0809_0a0b, 0x0405_0607_0001_0203);
    let (halves, _) = block.as_chunks();
    let half = |at| halves.get(at).map_or(0, |half| i64::from_le_bytes(*half));
    _mm_shuffle_epi8(_mm_set_epi64x(half(2 * at + 1), half(2 * at)), swapped)
}

/// A register of four numbers, the first one lowest.
#[inline]
#[target_feature(enable = "sse2")]
fn register([a, b, c, d]: [u32; 4]) -> __m128i {
    _mm_set_epi32(d.cast_signed(), c.cast_signed(), b.cast_signed(), a.cast_signed())
}

#[inline]
#[target_feature(enable = "sse4.1")]
fn numbers(register: __m128i) -> [u32; 4] {
    [
        _mm_extract_epi32(register, 0),
        _mm_extract_epi32(register, 1),
        _mm_extract_epi32(register, 2),
        _mm_extract_epi32(register, 3),
    ]
    .map(i32::cast_unsigned)
}
