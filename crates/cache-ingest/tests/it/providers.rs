//! Several providers as one, and pointers to providers.

use std::fs::File;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use cache_ingest::{
    BlobFolder, ByteStream, Error, ErrorKind, Info, Job, MemoryStore, MultiProvider, Origin, Provider,
    ProviderExt, ReadOnce, Side, Step, copy,
};
use cache_model::{Descriptor, MediaType};
use futures_util::StreamExt;

use crate::faults::{Fault, Faulty, describe};

/// Has nothing but a file and an origin.
struct Placed;

#[async_trait]
impl Provider for Placed {
    async fn info(&self, d: &Descriptor) -> Result<Info, Error> {
        Err(Error::new(ErrorKind::NotFound, "look up", d.digest, "nothing is here"))
    }

    async fn open(&self, d: &Descriptor, _: u64) -> Result<ByteStream, Error> {
        Err(Error::new(ErrorKind::NotFound, "open", d.digest, "nothing is here"))
    }

    fn file(&self, _: &Descriptor) -> Option<File> {
        tempfile::tempfile().ok()
    }

    fn origin(&self, _: &Descriptor) -> Option<Origin> {
        Some(Origin::new("registry.example.com", "team/app"))
    }

    fn pass_over(&self, _: &Descriptor) -> bool {
        true
    }
}

#[tokio::test]
async fn the_next_is_asked_when_one_does_not_have_it_or_fails() {
    let (empty, full) = (MemoryStore::new(), MemoryStore::new());
    let blob = full.insert(MediaType::default(), "abc");
    let failing = Faulty::new("abc", [Fault::Refuse(ErrorKind::Denied)]);
    let asked: [&dyn Provider; 3] = [&empty, &failing, &full];
    let all = MultiProvider::new(asked);
    assert_eq!(all.read(&blob, &Job::default()).await.unwrap(), "abc");
    assert_eq!(all.info(&blob).await.unwrap().size, 3);
}

#[tokio::test]
async fn a_failure_is_reported_when_no_one_has_it_and_never_hidden_by_not_found() {
    let empty = MemoryStore::new();
    let gone = describe(b"gone");
    for swap in [false, true] {
        let failing = Faulty::new("", [Fault::Refuse(ErrorKind::Denied), Fault::Refuse(ErrorKind::Denied)]);
        let mut asked: Vec<&dyn Provider> = vec![&failing, &empty];
        if swap {
            asked.reverse();
        }
        let all = MultiProvider::new(asked);
        assert_eq!(all.info(&gone).await.unwrap_err().kind(), ErrorKind::Denied);
        assert_eq!(all.open(&gone, 0).await.err().unwrap().kind(), ErrorKind::Denied);
    }
    let all = MultiProvider::new([&empty, &empty]);
    assert_eq!(all.info(&gone).await.unwrap_err().kind(), ErrorKind::NotFound);
    let none: MultiProvider<MemoryStore> = MultiProvider::new([]);
    assert_eq!(none.info(&gone).await.unwrap_err().kind(), ErrorKind::NotFound);
}

/// A store in memory that notes what it is asked for, in one list of several stores.
struct Asked<'a> {
    name: &'static str,
    store: MemoryStore,
    log: &'a Mutex<Vec<&'static str>>,
}

#[async_trait]
impl Provider for Asked<'_> {
    async fn info(&self, d: &Descriptor) -> Result<Info, Error> {
        self.log.lock().unwrap().push(self.name);
        self.store.info(d).await
    }

    async fn open(&self, d: &Descriptor, offset: u64) -> Result<ByteStream, Error> {
        self.log.lock().unwrap().push(self.name);
        self.store.open(d, offset).await
    }

    fn origin(&self, _: &Descriptor) -> Option<Origin> {
        Some(Origin::new("registry.example.com", self.name))
    }
}

#[tokio::test]
async fn a_provider_that_is_known_to_have_a_blob_is_asked_first_and_then_the_one_that_was_found_to_have_it() {
    let log = Mutex::default();
    let asked = |name| Asked { name, store: MemoryStore::new(), log: &log };
    let (a, b, c) = (asked("a"), asked("b"), asked("c"));
    let at_b = b.store.insert(MediaType::default(), "at b");
    let lost = c.store.insert(MediaType::default(), "said to be at b");
    let nowhere = describe(b"nowhere");
    let mut all = MultiProvider::new([a]);
    all.add(b, [at_b.digest, at_b.digest, lost.digest]);
    all.add(c, []);
    let took = || std::mem::take(&mut *log.lock().unwrap());
    assert_eq!(all.info(&at_b).await.unwrap().size, 4);
    assert_eq!(took(), ["b"], "no other is asked");
    assert_eq!(all.origin(&lost).unwrap().repository, "b");
    all.info(&lost).await.unwrap();
    assert_eq!(took(), ["b", "a", "c"]);
    all.read(&lost, &Job::default()).await.unwrap();
    assert_eq!(took(), ["c"], "it was found there");
    assert_eq!(all.origin(&lost).unwrap().repository, "c");
    assert_eq!(all.info(&nowhere).await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(took(), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_blob_of_another_size_is_passed_over_unless_all_have_it_so() {
    let (blob, long) = (describe(b"abc"), describe(b"a longer one"));
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(blob.digest.to_string()), "cut").unwrap();
    std::fs::write(folder.path().join(long.digest.to_string()), "cut").unwrap();
    let cut: Arc<dyn Provider> = Arc::new(BlobFolder::open(folder.path()).await.unwrap());
    let whole = MemoryStore::new();
    whole.insert(MediaType::default(), "a longer one");
    let mut all = MultiProvider::new([Arc::clone(&cut)]);
    all.add(Arc::new(whole) as Arc<dyn Provider>, []);
    assert!(all.file(&long).is_some(), "nobody has looked for it");
    assert_eq!(all.info(&long).await.unwrap().size, 12);
    assert!(all.file(&long).is_none(), "the file has another size");
    assert_eq!(all.read(&long, &Job::default()).await.unwrap(), "a longer one");
    let only = MultiProvider::new([cut]);
    assert_eq!(only.info(&long).await.unwrap().size, 3, "the caller compares");
}

#[tokio::test]
async fn a_damaged_copy_is_passed_over_for_one_of_another_place_and_else_reported() {
    let (blob, lost) = (describe(b"abc"), describe(b"xyz"));
    let folder = tempfile::tempdir().unwrap();
    for digest in [blob.digest, lost.digest] {
        std::fs::write(folder.path().join(digest.to_string()), "bad").unwrap();
    }
    let damaged: Arc<dyn Provider> = Arc::new(BlobFolder::open(folder.path()).await.unwrap());
    let whole = MemoryStore::new();
    whole.insert(MediaType::default(), "abc");
    let mut all = MultiProvider::new([]);
    all.add(damaged, [blob.digest, lost.digest]);
    all.add(Arc::new(whole) as Arc<dyn Provider>, []);
    let (to, job) = (MemoryStore::new(), Job::default());
    copy(Step::Layer, &blob, &ReadOnce::new(&all, &job), &to, &job).await.unwrap();
    assert_eq!(to.blob(&blob.digest).unwrap(), "abc");
    assert!(!all.pass_over(&blob), "no other place is left");

    let error = copy(Step::Layer, &lost, &all, &to, &job).await.unwrap_err();
    assert_eq!((error.kind(), error.side()), (ErrorKind::Corrupt, Some(Side::Source)), "{error}");
}

#[tokio::test]
async fn pointers_forward_what_has_a_default_too() {
    fn check(provider: impl Provider) {
        let blob = describe(b"x");
        assert!(provider.file(&blob).is_some());
        assert_eq!(provider.origin(&blob).unwrap().repository, "team/app");
        assert!(provider.pass_over(&blob));
    }
    check(&Placed);
    check(&Placed as &dyn Provider);
    check(Box::new(Placed));
    check(Arc::new(Placed) as Arc<dyn Provider>);
    check(MultiProvider::new([Arc::new(MemoryStore::new()) as Arc<dyn Provider>, Arc::new(Placed)]));
}

#[tokio::test]
async fn a_small_blob_is_read_once_however_many_want_it() {
    let inner = Faulty::new("abcdef", []);
    let (blob, job) = (describe(b"abcdef"), Job::default());
    let once = ReadOnce::new(&inner, &job);
    let (one, other) = tokio::join!(once.read(&blob, &job), once.read(&blob, &job));
    assert_eq!((one.unwrap(), other.unwrap()), ("abcdef".into(), "abcdef".into()));
    assert_eq!(inner.opened(), [0]);
    for (offset, rest) in [(2, Some("cdef")), (6, Some("")), (7, None)] {
        let stream = once.open(&blob, offset).await;
        match rest {
            Some(rest) => {
                let bytes: Vec<_> = stream.unwrap().map(Result::unwrap).collect().await;
                assert_eq!(bytes.concat(), rest.as_bytes(), "{offset}");
            }
            None => assert_eq!(stream.err().unwrap().kind(), ErrorKind::Invalid),
        }
    }
    assert_eq!(once.info(&blob).await.unwrap().size, 6);
    assert_eq!(inner.opened(), [0]);
    let placed = ReadOnce::new(&Placed, &job);
    assert!(placed.file(&blob).is_some() && placed.origin(&blob).is_some());
}

#[tokio::test]
async fn a_failure_is_not_kept_and_a_large_blob_is_passed_through() {
    let inner = Faulty::new("abc", [Fault::Refuse(ErrorKind::Denied)]);
    let (blob, job) = (describe(b"abc"), Job::default());
    let once = ReadOnce::new(&inner, &job);
    assert_eq!(once.read(&blob, &job).await.unwrap_err().kind(), ErrorKind::Denied);
    assert_eq!(once.read(&blob, &job).await.unwrap(), "abc");
    let large = vec![1; (1 << 20) + 1];
    let (inner, blob) = (Faulty::new(large.clone(), []).in_chunks_of(1 << 16), describe(&large));
    let once = ReadOnce::new(&inner, &job);
    for _ in 0..2 {
        assert_eq!(once.read(&blob, &job).await.unwrap(), large);
    }
    assert_eq!(inner.opened(), [0, 0]);
}
