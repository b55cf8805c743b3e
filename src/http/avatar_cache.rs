//! Uploaded avatars that were requested recently, in bounded memory, with the headers that media files are sent with.

use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::header::{
    ACCEPT_RANGES, ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY,
    CONTENT_TYPE, ETAG,
};
use http::{HeaderName, HeaderValue};
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Weighter};
use sha2::{Digest as _, Sha256};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

use crate::media::storage::{AvatarFile, IMMUTABLE, Storage, StorageError};

/// How long a file is answered from memory before the store is read again. A removed file is answered for this long.
const FRESH: Duration = Duration::from_mins(1);
/// How many files are read at once. More wait.
const READS: usize = 32;
/// How long a read waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// The memory that an entry needs in addition to its content, in bytes.
const OVERHEAD: u64 = 1024;
/// The size that the number of entries is estimated with, in bytes.
const TYPICAL: u64 = 16 * 1024;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What every media file is sent with: no script in it runs, and pages of other origins may show and read it. Its name is all
/// that a client needs, so nothing is opened by that.
const RESTRICTED: [(HeaderName, &str); 3] = [
    (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
    (CROSS_ORIGIN_RESOURCE_POLICY, "cross-origin"),
    (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
];

/// The headers of a file. Those of a representation are left out of a 304.
pub(super) fn headers(
    is_whole: bool,
    content_type: HeaderValue,
    disposition: HeaderValue,
    cache_control: &'static str,
    tag: HeaderValue,
) -> Vec<(HeaderName, HeaderValue)> {
    let mut headers = Vec::with_capacity(8);
    if is_whole {
        headers.push((CONTENT_TYPE, content_type));
        headers.push((CONTENT_DISPOSITION, disposition));
        headers.push((ACCEPT_RANGES, HeaderValue::from_static("none")));
    }
    headers.push((CACHE_CONTROL, HeaderValue::from_static(cache_control)));
    headers.push((ETAG, tag));
    headers.extend(RESTRICTED.map(|(name, value)| (name, HeaderValue::from_static(value))));
    headers
}

/// The entity tag that stands for what was hashed: 128 bits.
pub(super) fn tag_of(hashed: Sha256) -> String {
    let digest: String = hashed.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    format!("\"{digest}\"")
}

/// A file with what it is sent with.
pub(super) struct KeptFile {
    pub(super) content: Bytes,
    pub(super) tag: HeaderValue,
    whole: Vec<(HeaderName, HeaderValue)>,
    unmodified: Vec<(HeaderName, HeaderValue)>,
    /// The same headers as lines.
    pub(super) whole_lines: Vec<u8>,
    pub(super) unmodified_lines: Vec<u8>,
    loaded: Instant,
}

impl KeptFile {
    fn new(file: AvatarFile<'_>, content: Bytes) -> Self {
        let name = file.name();
        let name = name.rsplit('/').next().unwrap_or_default();
        // The names of uploads are plain, so nothing is escaped.
        let disposition = header(&format!("inline; filename=\"{name}\""));
        let tag = header(&tag_of(Sha256::new_with_prefix(&content)));
        let content_type = HeaderValue::from_static(file.content_type());
        let [whole, unmodified] = [true, false].map(|is_whole| {
            headers(is_whole, content_type.clone(), disposition.clone(), IMMUTABLE, tag.clone())
        });
        let (whole_lines, unmodified_lines) = (lines(&whole), lines(&unmodified));
        Self { content, tag, whole, unmodified, whole_lines, unmodified_lines, loaded: Instant::now() }
    }

    /// The headers of the whole file, or of the answer that the client has it already.
    pub(super) fn headers(&self, is_whole: bool) -> impl Iterator<Item = (&HeaderName, &HeaderValue)> {
        let headers = if is_whole { &self.whole } else { &self.unmodified };
        headers.iter().map(|(name, value)| (name, value))
    }

    fn is_fresh(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.loaded) < FRESH
    }
}

/// Makes a header's value of a text that is known to be plain.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static("inline"))
}

fn lines(headers: &[(HeaderName, HeaderValue)]) -> Vec<u8> {
    let lines = headers.iter();
    lines
        .flat_map(|(name, value)| [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat())
        .collect()
}

/// The key of a file, which [`AvatarFile`] can stand for without an allocation.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    hash: Box<str>,
    size: Option<u16>,
    extension: Box<str>,
}

impl Equivalent<Key> for AvatarFile<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        *self.hash == *key.hash && self.size == key.size && *self.extension == *key.extension
    }
}

#[derive(Clone)]
struct BySize;

impl Weighter<Key, Arc<KeptFile>> for BySize {
    fn weight(&self, _: &Key, kept: &Arc<KeptFile>) -> u64 {
        kept.content.len() as u64 + OVERHEAD
    }
}

/// The avatars in a store, with those that were requested recently in memory.
pub(super) struct AvatarCache {
    storage: Storage,
    kept: Cache<Key, Arc<KeptFile>, BySize>,
    reads: Semaphore,
}

impl AvatarCache {
    /// A cache of this many bytes.
    pub(super) fn new(storage: Storage, bytes: usize) -> Self {
        let capacity = bytes as u64;
        let entries = usize::try_from(capacity / TYPICAL).unwrap_or(usize::MAX).max(16);
        let kept = Cache::with_weighter(entries, capacity, BySize);
        Self { storage, kept, reads: Semaphore::new(READS) }
    }

    /// Returns a file that is in memory and was read less than a minute before `now`.
    pub(super) fn kept(&self, file: AvatarFile<'_>, now: Instant) -> Option<Arc<KeptFile>> {
        self.kept.get(&file).filter(|kept| kept.is_fresh(now))
    }

    /// Returns a file from memory or from the store. Several requests for one file read it once.
    pub(super) async fn find(&self, file: AvatarFile<'_>) -> Result<Option<Arc<KeptFile>>, StorageError> {
        let now = Instant::now();
        if let Some(kept) = self.kept(file, now) {
            return Ok(Some(kept));
        }
        let AvatarFile { hash, size, extension } = file;
        let key = Key { hash: hash.into(), size, extension: extension.into() };
        // Only one that is still too old: another request may have read it since.
        drop(self.kept.remove_if(&key, |kept| !kept.is_fresh(now)));
        match self.kept.get_value_or_guard_async(&key).await {
            Ok(kept) => Ok(Some(kept)),
            Err(guard) => {
                let Some(kept) = self.read(file).await? else { return Ok(None) };
                drop(guard.insert(Arc::clone(&kept)));
                Ok(Some(kept))
            }
        }
    }

    /// Waits until one more file may be read.
    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>, StorageError> {
        let busy = || StorageError::Unavailable("too many media files are being read at once".to_owned());
        match timeout(TURN, self.reads.acquire()).await {
            Ok(Ok(turn)) => Ok(turn),
            // The semaphore is never closed.
            Ok(Err(_)) | Err(_) => Err(busy()),
        }
    }

    async fn read(&self, file: AvatarFile<'_>) -> Result<Option<Arc<KeptFile>>, StorageError> {
        let _turn = self.turn().await?;
        let content = self.storage.get(&file.name()).await?;
        Ok(content.map(|content| Arc::new(KeptFile::new(file, content))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_file_is_read_once_a_minute_and_a_removed_one_is_forgotten() {
        let place = tempfile::tempdir().unwrap();
        let storage = Storage::disk(place.path().join("media"));
        let cache = AvatarCache::new(storage.clone(), 1 << 20);
        let file = AvatarFile { hash: "0123456789abcdef0123456789abcdef", size: Some(64), extension: "png" };
        assert!(cache.find(file).await.unwrap().is_none());
        storage.put(&file.name(), Bytes::from_static(b"picture")).await.unwrap();
        let kept = cache.find(file).await.unwrap().unwrap();
        assert_eq!(kept.content, "picture");
        storage.remove(&file.name()).await.unwrap();
        let now = Instant::now();
        assert!(cache.kept(file, now).is_some(), "it is in memory");
        assert!(cache.kept(file.full(), now).is_none(), "only this size is");
        assert!(cache.kept(file, now + FRESH).is_none(), "and after a minute it is not");
    }

    #[tokio::test]
    async fn memory_is_bounded_and_none_is_allowed() {
        let place = tempfile::tempdir().unwrap();
        let storage = Storage::disk(place.path().join("media"));
        let hashes: Vec<_> = (0..100).map(|number| format!("{number:032}")).collect();
        let none = AvatarCache::new(storage.clone(), 0);
        let small = AvatarCache::new(storage.clone(), 200_000);
        for hash in &hashes {
            let file = AvatarFile { hash, size: None, extension: "jpg" };
            storage.put(&file.name(), Bytes::from(vec![b'x'; 10_000])).await.unwrap();
            for cache in [&none, &small] {
                assert_eq!(cache.find(file).await.unwrap().unwrap().content.len(), 10_000);
            }
        }
        assert_eq!(none.kept.len(), 0);
        assert!((1..=20).contains(&small.kept.len()), "{}", small.kept.len());
    }
}
