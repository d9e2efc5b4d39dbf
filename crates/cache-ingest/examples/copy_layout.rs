//! Copies the blobs of one folder, an OCI image layout, that another does not have, and names them there: `copy_layout FROM TO`.
//!
//! Every byte is verified on its way. It copies the manifests that are named, with the blobs that they name directly.
#![allow(clippy::print_stdout, reason = "a program for a terminal")]

use std::error::Error;

use cache_ingest::{Expect, Job, LayoutOptions, LayoutStore, Lister, ProviderExt, Publisher, Step, copy_all};
use cache_model::Descriptor;

/// The descriptors in a manifest or index, found as JSON.
fn named(bytes: &[u8]) -> Result<Vec<Descriptor>, Box<dyn Error>> {
    let document: serde_json::Value = serde_json::from_slice(bytes)?;
    let mut blobs = Vec::new();
    for key in ["config", "layers", "manifests"] {
        let listed = match document.get(key) {
            Some(serde_json::Value::Array(list)) => list.as_slice(),
            Some(one) => std::slice::from_ref(one),
            None => &[],
        };
        for blob in listed {
            let text = |key| blob.get(key).and_then(serde_json::Value::as_str).ok_or("no descriptor");
            let size = blob.get("size").and_then(serde_json::Value::as_u64).ok_or("no size")?;
            blobs.push(Descriptor::new(text("mediaType")?.into(), text("digest")?.parse()?, size));
        }
    }
    Ok(blobs)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(from), Some(to)) = (arguments.next(), arguments.next()) else {
        return Err("give two folders".into());
    };
    let job = Job::default();
    let from = LayoutStore::open(from, LayoutOptions::default()).await?;
    let to = LayoutStore::open(to, LayoutOptions::create()).await?;
    for listed in from.list().await? {
        let (Some(name), Some(descriptor)) = (listed.name, listed.descriptor) else { continue };
        let descriptor = descriptor?;
        let manifest = from.read(&descriptor, &job).await?;
        let blobs = named(&manifest)?.into_iter().map(|blob| (Step::Layer, blob));
        let copied = copy_all(blobs, &from, &to, &job).await?;
        to.publish(&name, &descriptor, manifest, Expect::Any).await?;
        println!("{name}: {} blobs copied, {} were there", copied.stored.blobs, copied.already_present.blobs);
    }
    Ok(())
}
