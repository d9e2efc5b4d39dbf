//! A store in memory with one flaw.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use Flaw::*;
use async_trait::async_trait;
use bytes::Bytes;
use cache_ingest::{
    ByteStream, Error, ErrorKind, Expect, Info, Ingester, Listed, Lister, MemoryStore, Name, Provider,
    Publisher, Referrers, Remover, Resolved, Resolver, Source, Stored,
};
use cache_model::{Algorithm, Descriptor, Digest, MediaType};
use futures_util::{StreamExt, stream};
use tokio::task::yield_now;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    AbsentIsUnavailable,
    CannotTellIsNotFound,
    SizeOffByOne,
    TrustsTheHint,
    IgnoresTheOffset,
    BeyondTheEndIsEmpty,
    OneReaderAtATime,
    FileAtItsEnd,
    SaysAlreadyPresent,
    NeverAlreadyPresent,
    RefusesEmpty,
    TrustsSha512,
    RefusesManyChunks,
    HashesFilesToTheirEnd,
    TrustsFiles,
    HashesOnlyTheStream,
    ShowsUnverified,
    CleansUpAfterErrorsOnly,
    HidesTheCause,
    WantsEvenChunks,
    RemovesAfterErrors,
    OnePutAtATime,
    UnknownIsInvalid,
    ForgetsTheMediaType,
    DescribesWithoutMediaType,
    DescribesTheUnknown,
    ResolvesToOtherBytes,
    ForgetsDigests,
    KnowsNoLatest,
    HasOneName,
    ManifestsAreNoBlobs,
    RefusesTheSame,
    IgnoresExpect,
    PublishesAndRefuses,
    TrustsManifests,
    ListsEachPublish,
    ListsAnotherManifest,
    RemovesTheManifest,
    RemovesOneTag,
    RemovesTheUnknown,
    RemovesBeforeReplacing,
    ComparesTooEarly,
    NoReferrersIsNotFound,
    ListsAllReferrers,
    ForgetsTheArtifactType,
    ListsEachReferrer,
    TagsReferrers,
    TrustsReferrers,
}

pub(crate) struct Mutant {
    flaw: Option<Flaw>,
    /// The names and the manifests.
    names: MemoryStore,
    blobs: Mutex<HashMap<Digest, Bytes>>,
    reader: Arc<()>,
    writer: Arc<()>,
    hidden: AtomicBool,
}

fn error(kind: ErrorKind, what: impl std::fmt::Display) -> Error {
    Error::new(kind, "use", what, "the store has a flaw")
}

impl Mutant {
    pub(crate) fn new(flaw: Option<Flaw>) -> Self {
        Self {
            flaw,
            names: MemoryStore::new(),
            blobs: Mutex::default(),
            reader: Arc::default(),
            writer: Arc::default(),
            hidden: AtomicBool::new(false),
        }
    }

    fn has(&self, flaw: Flaw) -> bool {
        self.flaw == Some(flaw)
    }

    fn find(&self, digest: &Digest) -> Option<Bytes> {
        let manifest = if self.has(ManifestsAreNoBlobs) { None } else { self.names.blob(digest) };
        self.blobs.lock().unwrap().get(digest).cloned().or(manifest)
    }

    fn get(&self, descriptor: &Descriptor) -> Result<Bytes, Error> {
        let kind = if self.has(AbsentIsUnavailable) { ErrorKind::Unavailable } else { ErrorKind::NotFound };
        self.find(&descriptor.digest).ok_or_else(|| error(kind, descriptor.digest))
    }

    /// Reads the stream of a source, with the flaws of the mutant.
    async fn receive(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Bytes, Error> {
        let shows = self.has(ShowsUnverified) || self.has(CleansUpAfterErrorsOnly);
        let (mut reader, mut chunks) = (source.reader(), Vec::<Bytes>::new());
        if shows {
            self.blobs.lock().unwrap().insert(descriptor.digest, Bytes::new());
        }
        loop {
            match reader.next_chunk().await {
                Ok(Some(chunk)) => chunks.push(chunk),
                Ok(None) => break,
                Err(_) if self.has(TrustsSha512) && descriptor.digest.algorithm() == Algorithm::Sha512 => {
                    break;
                }
                Err(failed) if self.has(HidesTheCause) => return Err(error(failed.kind(), "a source")),
                Err(failed) => {
                    if self.has(CleansUpAfterErrorsOnly) || self.has(RemovesAfterErrors) {
                        self.blobs.lock().unwrap().remove(&descriptor.digest);
                    }
                    return Err(failed);
                }
            }
            if shows {
                self.blobs.lock().unwrap().insert(descriptor.digest, chunks.concat().into());
            }
        }
        let uneven = chunks.windows(2).rev().skip(1).any(|pair| pair[0].len() != pair[1].len());
        if self.has(WantsEvenChunks) && uneven || self.has(RefusesManyChunks) && chunks.len() > 100 {
            return Err(error(ErrorKind::Invalid, "chunks"));
        }
        Ok(chunks.concat().into())
    }

    /// Reads the file of a source, with the flaws of the mutant.
    async fn receive_file(&self, mut file: File, source: &Source<'_>) -> Result<Bytes, Error> {
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        if self.has(HashesFilesToTheirEnd) {
            let mut verifier = source.verifier();
            verifier.update(&bytes)?;
            verifier.finish()?;
            bytes.clear();
            file.read_to_end(&mut bytes).unwrap();
        }
        if self.has(HashesOnlyTheStream) {
            let mut reader = source.reader();
            while reader.next_chunk().await?.is_some() {}
        }
        Ok(bytes.into())
    }
}

#[async_trait]
impl Provider for Mutant {
    async fn info(&self, descriptor: &Descriptor) -> Result<Info, Error> {
        let size = self.get(descriptor)?.len() as u64;
        Ok(Info::new(match self.flaw {
            Some(SizeOffByOne) => size + 1,
            Some(TrustsTheHint) => descriptor.size,
            _ => size,
        }))
    }

    async fn open(&self, descriptor: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        let mut bytes = self.get(descriptor)?;
        let len = bytes.len() as u64;
        if offset > len && !self.has(BeyondTheEndIsEmpty) {
            return Err(error(ErrorKind::Invalid, offset));
        }
        if self.has(OneReaderAtATime) && Arc::strong_count(&self.reader) > 1 {
            return Err(error(ErrorKind::Conflict, "a reader"));
        }
        let offset = if self.has(IgnoresTheOffset) { 0 } else { offset.min(len) };
        let rest = bytes.split_off(usize::try_from(offset).unwrap());
        let reading = self.reader.clone();
        Ok(Box::pin(stream::iter([Ok(rest)]).inspect(move |_| {
            let _ = &reading;
        })))
    }

    fn file(&self, descriptor: &Descriptor) -> Option<File> {
        if !self.has(FileAtItsEnd) {
            return None;
        }
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&self.find(&descriptor.digest)?).unwrap();
        Some(file)
    }
}

#[async_trait]
impl Ingester for Mutant {
    async fn put(&self, descriptor: &Descriptor, source: &Source<'_>) -> Result<Stored, Error> {
        let present = self.find(&descriptor.digest).is_some();
        let reads_anyway = self.has(ShowsUnverified) || self.has(CleansUpAfterErrorsOnly);
        if present && !self.has(RemovesAfterErrors) && !reads_anyway {
            return Ok(if self.has(NeverAlreadyPresent) { Stored::Stored } else { Stored::AlreadyPresent });
        }
        if self.has(RefusesEmpty) && descriptor.size == 0 {
            return Err(error(ErrorKind::Invalid, "an empty blob"));
        }
        if self.has(OnePutAtATime) && Arc::strong_count(&self.writer) > 1 {
            return Err(error(ErrorKind::Conflict, "a put"));
        }
        let _writing = self.writer.clone();
        let takes_files =
            [HashesFilesToTheirEnd, TrustsFiles, HashesOnlyTheStream].map(|flaw| self.has(flaw));
        let bytes = match source.file() {
            Some(file) if takes_files.contains(&true) => self.receive_file(file, source).await?,
            _ => self.receive(descriptor, source).await?,
        };
        self.blobs.lock().unwrap().insert(descriptor.digest, bytes);
        Ok(if present || self.has(SaysAlreadyPresent) { Stored::AlreadyPresent } else { Stored::Stored })
    }
}

#[async_trait]
impl Lister for Mutant {
    async fn list(&self) -> Result<Vec<Listed>, Error> {
        let mut list = self.names.list().await?;
        if self.has(ListsEachPublish) {
            list.extend(self.names.list().await?);
        }
        if self.has(ListsAnotherManifest) {
            let descriptors: Vec<_> = list.iter_mut().filter_map(|listed| listed.descriptor.take()).collect();
            list.iter_mut()
                .zip(descriptors.into_iter().rev())
                .for_each(|(listed, other)| listed.descriptor = Some(other));
        }
        Ok(list)
    }
}

#[async_trait]
impl Resolver for Mutant {
    async fn resolve(&self, name: &Name) -> Result<Resolved, Error> {
        if self.hidden.load(Ordering::Relaxed) {
            return Err(error(ErrorKind::NotFound, name));
        }
        let one = Name::Tag("the only one".to_owned());
        let resolved = match (self.flaw, name) {
            (Some(ForgetsDigests), Name::Digest(_)) => Err(error(ErrorKind::NotFound, name)),
            (Some(HasOneName), Name::Tag(_)) => self.names.resolve(&one).await,
            _ => self.names.resolve(name).await,
        };
        match (self.flaw, resolved) {
            (Some(UnknownIsInvalid), Err(_)) => Err(error(ErrorKind::Invalid, name)),
            (Some(ForgetsTheMediaType), Ok(mut found)) => {
                found.descriptor.media_type = MediaType::default();
                Ok(found)
            }
            (Some(ResolvesToOtherBytes), Ok(found)) => Ok(found.with_bytes(Bytes::from_static(b"{}"))),
            (_, resolved) => resolved,
        }
    }

    async fn resolve_descriptor(&self, name: &Name) -> Result<Descriptor, Error> {
        match (self.flaw, self.resolve(name).await) {
            (Some(DescribesWithoutMediaType), Ok(mut found)) => {
                found.descriptor.media_type = MediaType::default();
                Ok(found.descriptor)
            }
            (Some(DescribesTheUnknown), Err(_)) => Ok(Descriptor::of(MediaType::OCI_INDEX, "{}")),
            (_, resolved) => resolved.map(|resolved| resolved.descriptor),
        }
    }
}

#[async_trait]
impl Publisher for Mutant {
    async fn publish(
        &self,
        name: &Name,
        descriptor: &Descriptor,
        bytes: Bytes,
        expect: Expect,
    ) -> Result<(), Error> {
        let current = self.names.resolve(name).await.ok().map(|current| current.descriptor.digest);
        match (self.flaw, name) {
            (Some(KnowsNoLatest), Name::Unspecified) => {
                let other = Name::Tag("default".to_owned());
                self.names.publish(&other, descriptor, bytes, expect).await
            }
            (Some(HasOneName), Name::Tag(_)) => {
                let one = Name::Tag("the only one".to_owned());
                self.names.publish(&one, descriptor, bytes, expect).await
            }
            (Some(RefusesTheSame), _) if current == Some(descriptor.digest) => {
                Err(error(ErrorKind::Conflict, name))
            }
            (Some(IgnoresExpect), _) => self.names.publish(name, descriptor, bytes, Expect::Any).await,
            (Some(PublishesAndRefuses), _) => {
                self.names.publish(name, descriptor, bytes, Expect::Any).await?;
                expect.check(name, current)
            }
            (Some(TrustsManifests), _) => match self.names.publish(name, descriptor, bytes, expect).await {
                Err(failed) if failed.kind() == ErrorKind::Corrupt => Ok(()),
                published => published,
            },
            (Some(RemovesBeforeReplacing), _) => {
                self.hidden.store(true, Ordering::Relaxed);
                yield_now().await;
                self.hidden.store(false, Ordering::Relaxed);
                self.names.publish(name, descriptor, bytes, expect).await
            }
            (Some(ComparesTooEarly), _) => {
                expect.check(name, current)?;
                yield_now().await;
                self.names.publish(name, descriptor, bytes, Expect::Any).await
            }
            _ => self.names.publish(name, descriptor, bytes, expect).await,
        }
    }

    fn is_atomic(&self) -> bool {
        true
    }
}

#[async_trait]
impl Remover for Mutant {
    async fn remove_name(&self, name: &Name) -> Result<(), Error> {
        let removed = match name {
            Name::Tag(_) if self.has(RemovesTheManifest) => {
                let manifest = self.names.resolve(name).await?.descriptor.digest;
                self.names.remove_name(&Name::Digest(manifest)).await
            }
            Name::Digest(_) if self.has(RemovesOneTag) => {
                let manifest = self.names.resolve(name).await?.descriptor.digest;
                let listed = self.names.list().await?.into_iter();
                let mut tags = listed.filter(|listed| {
                    listed.descriptor.as_ref().unwrap().as_ref().unwrap().digest == manifest
                });
                self.names.remove_name(&tags.next().unwrap().name.unwrap()).await
            }
            _ => self.names.remove_name(name).await,
        };
        removed.or_else(|error| if self.has(RemovesTheUnknown) { Ok(()) } else { Err(error) })
    }
}

#[async_trait]
impl Referrers for Mutant {
    async fn referrers(&self, subject: &Descriptor) -> Result<Vec<Descriptor>, Error> {
        let all = Descriptor::new(MediaType::default(), Digest::sha256([0; 32]), 0);
        let subject = if self.has(ListsAllReferrers) { &all } else { subject };
        let mut found = self.names.referrers(subject).await?;
        if self.has(NoReferrersIsNotFound) && found.is_empty() {
            return Err(error(ErrorKind::NotFound, subject.digest));
        }
        if self.has(ForgetsTheArtifactType) {
            found.iter_mut().for_each(|referrer| referrer.extra = None);
        }
        if self.has(ListsEachReferrer) {
            found.extend(found.clone());
        }
        Ok(found)
    }

    async fn add_referrer(
        &self,
        subject: &Descriptor,
        referrer: &Descriptor,
        bytes: Bytes,
    ) -> Result<(), Error> {
        if self.has(ListsAllReferrers) {
            let all = Descriptor::new(MediaType::default(), Digest::sha256([0; 32]), 0);
            return self.names.add_referrer(&all, referrer, bytes).await;
        }
        if self.has(TagsReferrers) {
            self.names.publish(&Name::Unspecified, referrer, bytes.clone(), Expect::Any).await?;
        }
        match self.names.add_referrer(subject, referrer, bytes).await {
            Err(failed) if self.has(TrustsReferrers) && failed.kind() == ErrorKind::Corrupt => Ok(()),
            added => added,
        }
    }
}
