//! The indices of this crate's arenas.

cache_model::index_types! {
    /// A source: one of the caches that are merged or compared.
    SourceIx;
    /// A distinct record digest.
    DigestIx;
    /// A distinct selector; the first is the empty one.
    SelectorIx;
    /// A record of a source. Records of a source are adjacent, each after the records that it depends on.
    PartIx;
    /// A link of a part.
    LinkIx;
    /// Parts with the same digest and the same links, so that they are one record by any reading.
    GroupIx;
    /// A record of the closed union. Sources have smaller indices than the records that depend on them.
    RecordIx;
    /// A record of the graph that is closed in one round.
    LocalIx;
    /// A distinct blob.
    BlobIx;
    /// A blob on top of a parent stack: a distinct list of blobs.
    StackIx;
    /// A distinct list of identities of layers.
    IdentityIx;
    /// A distinct set of uses of a contested record.
    UseSetIx;
}
