//! How the descriptor of an attestation says what it attests (moby/buildkit `docs/attestations/attestation-storage.md`).

/// The annotation with the type of the predicate of a blob.
pub(crate) const PREDICATE_TYPE: &str = "in-toto.io/predicate-type";

/// Whether a predicate of this type says how something was built: SLSA provenance, of any version.
pub(crate) fn is_provenance(predicate_type: &str) -> bool {
    predicate_type.starts_with("https://slsa.dev/provenance/")
}
