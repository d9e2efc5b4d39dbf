//! The manifests that refer to another one: as the registry lists them, or in an index under a tag that clients keep where it
//! lists none (OCI distribution specification, "Listing Referrers", "Pushing Manifests with Subject", "Referrers Tag Schema").
//!
//! Whether a registry lists a referrer shows when it is pushed. Two clients that add to one tag at the same time do not lose
//! each other's entries: [`Swap`] looks again.

use bytes::Bytes;
use cache_ingest::{Error, ErrorKind, Name, Publisher, ReferrerList, Source, Swap, Verifier};
use cache_model::{Descriptor, Digest, MediaType};
use reqwest::header::ACCEPT;

use crate::protocol::header;
use crate::repository::RepositoryClient;
use crate::store::RegistryStore;

impl RepositoryClient {
    /// The manifests that refer to a manifest.
    pub(crate) async fn referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        match self.listed_referrers(subject).await {
            // By the specification, this registry lists no referrers.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Unsupported) => {
                self.tagged_referrers(subject).await
            }
            listed => listed,
        }
    }

    async fn listed_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let call = self.call("list the referrers of", self.at(subject));
        let path = self.path(format_args!("referrers/{subject}"));
        let url = self.client.url(&call, &path).await?;
        let accept = header(MediaType::OCI_INDEX.as_str(), &call.operation)?;
        let mut found = Vec::new();
        self.read_pages(&call, url, Some((ACCEPT, accept)), &mut |page| {
            found.extend(ReferrerList::parse(page, subject)?.descriptors());
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// The list that clients keep.
    async fn tagged_referrers(&self, subject: &Digest) -> Result<Vec<Descriptor>, Error> {
        let resolved = match self.resolve(&Name::Tag(ReferrerList::tag(subject))).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            resolved => resolved?,
        };
        let bytes = resolved.bytes.unwrap_or_default();
        let bytes = Source::from_bytes(resolved.descriptor, bytes).read(self.max_metadata()).await?;
        Ok(ReferrerList::parse(&bytes, subject)?.descriptors())
    }

    /// Pushes a manifest that refers to another one. False if the registry will not list it.
    async fn push_referrer(&self, referrer: &Descriptor, bytes: Bytes) -> Result<bool, Error> {
        self.will_push();
        let mut verifier = Verifier::new(referrer);
        verifier.update(&bytes)?;
        verifier.finish()?;
        let name = Name::Digest(referrer.digest);
        let call = self.call("publish", self.named(&name));
        self.put_manifest(&call, &name, referrer, bytes).await
    }
}

impl RegistryStore {
    pub(crate) async fn push_with_subject(
        &self,
        subject: &Digest,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        if self.client().push_referrer(referrer, bytes).await? {
            return Ok(());
        }
        let job = self.client().client.options().job.clone();
        let tag = Name::Tag(ReferrerList::tag(subject));
        let mut swap = Swap::new(self, self, &tag, &job);
        loop {
            let before = match swap.begin().await? {
                Some(before) => before.read(self, &job).await?,
                None => Bytes::new(),
            };
            let mut list = ReferrerList::parse(&before, subject)?;
            if !list.add(referrer) {
                return Ok(());
            }
            let list = list.text();
            let descriptor = Descriptor::of(MediaType::OCI_INDEX, &list);
            let published = self.publish(&tag, &descriptor, list.into(), swap.expect()).await;
            if swap.end(published.map(|()| descriptor.digest)).await? {
                return Ok(());
            }
        }
    }
}
