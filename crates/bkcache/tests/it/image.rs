//! The image of `packaging/Dockerfile`, which Docker's BuildKit builds from archives with a stand-in for the program.
#![cfg(target_os = "linux")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use test_registries::Docker;

use crate::support::files;

/// Files of an archive, and where the image has them.
const FILES: [(&str, Option<&str>); 6] = [
    ("LICENSE-APACHE", Some("licenses/LICENSE-APACHE")),
    ("LICENSE-MIT", Some("licenses/LICENSE-MIT")),
    ("README.md", None),
    ("THIRD-PARTY-LICENSES", Some("licenses/THIRD-PARTY-LICENSES")),
    ("bkcache", Some("bkcache")),
    ("bkcache.cdx.json", Some("licenses/bkcache.cdx.json")),
];

/// Writes an archive of this version for a target. Each file holds its name and the target.
fn write_archive(folder: &Path, target: &str) {
    let name = format!("bkcache-{}-{target}", env!("CARGO_PKG_VERSION"));
    let packed = folder.join(&name);
    fs::create_dir(&packed).unwrap();
    for (file, _) in FILES {
        fs::write(packed.join(file), format!("{file} {target}")).unwrap();
    }
    let mut tar = Command::new("tar");
    tar.arg("-C").arg(folder).arg("-czf").arg(folder.join(format!("{name}.tar.gz"))).arg(&name);
    assert!(tar.status().unwrap().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_of_each_platform_has_its_program_with_licences_and_certificates() {
    let Some(docker) = Docker::start().await else { return };
    let certificates = tempfile::tempdir().unwrap();
    fs::write(certificates.path().join("ca-certificates.crt"), "certificates").unwrap();
    fs::write(certificates.path().join("Dockerfile"), "FROM scratch\nCOPY *.crt /etc/ssl/certs/\n").unwrap();
    docker.build(certificates.path(), &["--tag", "certificates"]).await;

    let archives = tempfile::tempdir().unwrap();
    let platforms =
        [("linux/amd64", "x86_64-unknown-linux-musl"), ("linux/arm64", "aarch64-unknown-linux-musl")];
    for (_, target) in platforms {
        write_archive(archives.path(), target);
    }
    let dockerfile = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/Dockerfile");
    let dockerfile = dockerfile.display().to_string();
    let fixed = ["--file", &dockerfile, "--build-arg", "CERTIFICATES=certificates"];
    for (platform, target) in platforms {
        let folder = tempfile::tempdir().unwrap();
        let output = folder.path().display().to_string();
        let args = [fixed.as_slice(), &["--platform", platform, "--output", &output]].concat();
        docker.build(archives.path(), &args).await;
        let of_archive = FILES.iter().filter_map(|(file, path)| Some(((*path)?, format!("{file} {target}"))));
        let all = of_archive.chain([("etc/ssl/certs/ca-certificates.crt", "certificates".to_owned())]);
        let expected: BTreeMap<PathBuf, Vec<u8>> =
            all.map(|(path, text)| (folder.path().join(path), text.into_bytes())).collect();
        assert_eq!(files(folder.path()), expected, "{platform}");
    }

    docker.build(archives.path(), &[fixed.as_slice(), &["--tag", "image"]].concat()).await;
    let format = "{{.Config.Entrypoint}} {{.Config.WorkingDir}} {{.Config.User}}";
    assert_eq!(docker.run(&["inspect", "--format", format, "image"]).await, "[/bkcache] /caches \n");
}
