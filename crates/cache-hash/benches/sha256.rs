//! How fast one processor hashes: one message, and two to four together.
//!
//! `sha2` is the peer.

#![allow(missing_docs, reason = "criterion's macros make public functions")]

use std::hint::black_box;

use cache_hash::{Sha256, update_together};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use sha2::Digest as _;

/// How many bytes of each message a copy takes at a time.
const PIECE: usize = 128 * 1024;

fn sha256(c: &mut Criterion) {
    let pieces = [0, 1, 2, 3].map(|n| vec![n; PIECE]);
    let mut group = c.benchmark_group("sha256");
    group.throughput(Throughput::Bytes(PIECE as u64));
    group.bench_function("sha2", |b| {
        let mut hasher = sha2::Sha256::new();
        b.iter(|| pieces.iter().take(1).for_each(|piece| hasher.update(black_box(piece))));
    });
    for count in 1..=pieces.len() {
        group.throughput(Throughput::Bytes((count * PIECE) as u64));
        group.bench_function(BenchmarkId::new("together", count), |b| {
            let mut hashers = vec![Sha256::new(); count];
            b.iter(|| {
                let parts = hashers.iter_mut().zip(&pieces).map(|(hasher, piece)| (hasher, piece.as_slice()));
                update_together(black_box(&mut parts.collect::<Vec<_>>()));
            });
        });
    }
    group.finish();
}

criterion_group!(benches, sha256);
criterion_main!(benches);
