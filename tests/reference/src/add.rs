//! The input of the reference: digests, links, results and layers, all of them texts.

/// One add.
#[derive(Clone, Debug)]
pub struct Add<'a> {
    /// The digest of the record.
    pub digest: &'a str,
    /// For each input, the links to earlier adds.
    pub inputs: Vec<Vec<Link<'a>>>,
    /// The results of the record.
    pub results: Vec<Outcome<'a>>,
}

/// A link: the position of the source among all adds, and the selector.
pub type Link<'a> = (usize, &'a str);

/// A result.
#[derive(Clone, Debug)]
pub struct Outcome<'a> {
    /// A number that orders the instants.
    pub instant: i128,
    /// The text of the time.
    pub time: &'a str,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
}

/// A layer: the digest of its blob, and the text of its exported descriptor.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The digest of the blob.
    pub blob: String,
    /// The text of the descriptor, with an OCI media type.
    pub exported: String,
}
