//! Platforms as they stand in keys.

use cache_model::Platform;

use crate::ops::hashed::{Object, Value};

/// The platform with the names that containerd's `platforms.Normalize` gives: `x86_64` is `amd64`, and a variant that is the
/// default is left out.
pub fn normalized(platform: &Platform) -> Platform {
    let architecture = platform.architecture.to_lowercase();
    let variant = platform.variant.to_lowercase();
    let (architecture, variant) = match (architecture.as_str(), variant.as_str()) {
        ("i386", _) => ("386", ""),
        ("x86_64" | "x86-64" | "amd64", "v1") => ("amd64", ""),
        ("x86_64" | "x86-64" | "amd64", variant) => ("amd64", variant),
        ("aarch64" | "arm64", "8" | "v8") => ("arm64", ""),
        ("aarch64" | "arm64", variant) => ("arm64", variant),
        ("armhf", _) => ("arm", "v7"),
        ("armel", _) => ("arm", "v6"),
        ("arm", "" | "7") => ("arm", "v7"),
        ("arm", "5") => ("arm", "v5"),
        ("arm", "6") => ("arm", "v6"),
        ("arm", "8") => ("arm", "v8"),
        (architecture, variant) => (architecture, variant),
    };
    let mut normalized = Platform::new(&platform.os.to_lowercase(), architecture).with_variant(variant);
    normalized.os_version.clone_from(&platform.os_version);
    normalized.os_features.clone_from(&platform.os_features);
    normalized
}

/// Adds the members of a platform to an object that is hashed.
pub(crate) fn with_platform(object: Object, platform: &Platform) -> Object {
    let platform = normalized(platform);
    object
        .with("OS", &platform.os)
        .with("Arch", &platform.architecture)
        .with_set("Variant", &platform.variant)
        .with_set("OSVersion", &platform.os_version)
        .with_set("OSFeatures", Value::list(&platform.os_features))
}
