//! `type=registry`: what opens, and what is refused before any registry is asked.
#![allow(clippy::unwrap_used, reason = "a test")]

use cache_ingest::Name;
use cache_registry::RegistryScheme;
use cache_target::{Role, Targets};

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn targets() -> Targets {
    let mut targets = Targets::new();
    targets.register(Box::new(RegistryScheme::default()));
    targets
}

#[tokio::test]
async fn a_registry_is_named_as_in_docker_and_not_contacted() {
    let targets = targets();
    for (text, location, name) in [
        ("type=registry,ref=user/app", "docker.io/user/app", Name::Tag("latest".to_owned())),
        ("type=registry,ref=app:v1", "docker.io/library/app", Name::Tag("v1".to_owned())),
        ("type=registry,ref=[::1]:5000/x", "[::1]:5000/x", Name::Tag("latest".to_owned())),
        (
            "type=registry,ref=r.example/x,registry.insecure=true",
            "r.example/x",
            Name::Tag("latest".to_owned()),
        ),
        ("r.example/x:main", "r.example/x", Name::Tag("main".to_owned())),
    ] {
        for role in [Role::Source, Role::Destination] {
            let opened = targets.open(text, role).await.unwrap();
            assert_eq!((opened.location.as_str(), &opened.name), (location, &name), "{text}");
            let has_tag = !name.to_string().contains("latest");
            assert!(role == Role::Destination || opened.is_named == has_tag, "{text}");
            assert_eq!(opened.writer.is_some(), role == Role::Destination);
            assert!(opened.lister.is_some());
        }
    }
    let by_digest = format!("r.example/x:v1@{DIGEST}");
    let opened = targets.open(&by_digest, Role::Source).await.unwrap();
    assert_eq!(opened.name, Name::Digest(DIGEST.parse().unwrap()));
    assert!(opened.is_named);
    let text = "type=registry,ref=user/app,image-manifest=false,ignore-error=1,mode=max";
    let opened = targets.open(text, Role::Destination).await.unwrap();
    assert!(opened.export.ignore_error && opened.export.image_manifest == Some(false));
}

#[tokio::test]
async fn a_malformed_target_is_refused_with_a_reason() {
    let refused = async |text: &str, role| targets().open(text, role).await.unwrap_err().to_string();
    for (text, role, expected) in [
        (
            "type=registry",
            Role::Source,
            "type=registry needs the attribute ref, as in type=registry,ref=registry.example.com/team/app:cache",
        ),
        (
            "type=registry,ref=User/App",
            Role::Source,
            "\"User/App\" is not a reference: a repository has no upper-case letters; try \"user/app\"",
        ),
        (
            "type=registry,ref=app,registry.insecure=yes",
            Role::Source,
            "registry.insecure=yes: expected true or false",
        ),
        (
            "type=registry,ref=app,image-manifest=true",
            Role::Source,
            "image-manifest is an attribute of a destination; a source of type=registry takes ref, registry.insecure",
        ),
        (
            "type=registry,ref=app,mode=min",
            Role::Destination,
            "mode=min cannot be honoured: a cache is copied whole; its steps were chosen when it was built",
        ),
        (
            "type=registry,reff=app",
            Role::Source,
            "type=registry has no attribute reff as a source; did you mean ref?",
        ),
    ] {
        assert_eq!(refused(text, role).await, expected);
    }
    let by_digest = format!("r.example/x@{DIGEST}");
    assert_eq!(
        refused(&by_digest, Role::Destination).await,
        format!("{by_digest}: a destination takes a tag and no digest, since its content is not written yet")
    );
}
