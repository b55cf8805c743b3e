//! Passwords: the rules for new ones, hashing, and verification.
//!
//! New hashes are argon2id in Django's encoding (`argon2$argon2id$v=19$...`), so the passwords can be moved back to Django.
//! Every encoding of Django's default hashers can be verified. Hashing is slow on purpose. It runs on threads of its own
//! (`queue`), and never for a token, whose key is random.
//!
//! The UTF-8 bytes of a password are hashed without normalisation. NIST SP 800-63B-4 (section 3.1.1.2) advises NFC or NFKC
//! for systems that accept Unicode. Django does neither, and a normalised password would not match imported hashes. So a
//! user who types `é` composed on one device and decomposed on another is refused.

mod argon;
mod census;
mod decoys;
mod django;
mod guess;
mod leaked;
mod limits;
mod queue;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use tokio::time::timeout;
use zeroize::Zeroizing;

use self::argon::{Argon2Hash, HashMemory};
use self::decoys::{DecoySource, Decoys};
pub(super) use self::django::UNUSABLE;
use self::django::{EncodedPassword, Unmatched};
use self::guess::ForbiddenWords;
pub(super) use self::guess::PasswordOwner;
use self::queue::Queue;
pub(super) use self::queue::{QueueClient, QueueSlot};
use super::clock::Clock;
use super::error::Error;
use super::model::Violation;

/// The longest password. NIST SP 800-63B-4 requires at least 64; without a bound, one request could cost a lot.
const MAX_CODE_POINTS: usize = 1024;
/// The longest that a sign-in waits for the first count.
const FIRST_COUNT: Duration = Duration::from_secs(5);
/// The number of unknown algorithms whose names are remembered, so that each is logged once.
const UNKNOWN_MAX: usize = 16;

/// A password in clear text that is about to be hashed. It does not print itself.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Wraps a password as typed. It is not trimmed or normalised.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Returns the password itself, for a request to another server.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Reports whether both are the same. The time it takes reveals nothing: both come from one client.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

/// The result of verifying a given password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordCheck {
    /// It is wrong, or no password can match.
    Wrong,
    /// It is right.
    Right,
    /// It is right, but stored in an older encoding: encode it again.
    RightButOutdated,
}

/// Whether a stored password can match anything that is typed.
pub(super) fn has_password(stored: &str) -> bool {
    !matches!(EncodedPassword::parse(stored), Err(Unmatched::Unusable))
}

/// Returns the name of a stored password's algorithm, or `none` if there is no password, and whether the encoding is
/// supported. A name that is not one of Django's is returned as `unknown`: it may be a password in clear text.
pub(super) fn encoding(stored: &str) -> (&'static str, bool) {
    const KNOWN: [&str; 9] = [
        "argon2",
        "pbkdf2_sha256",
        "pbkdf2_sha1",
        "bcrypt_sha256",
        "bcrypt",
        "scrypt",
        "md5",
        "sha1",
        "crypt",
    ];
    let name = stored.split_once('$').map_or("", |(algorithm, _)| algorithm);
    let name = KNOWN.into_iter().find(|known| *known == name).unwrap_or("unknown");
    match EncodedPassword::parse(stored) {
        Ok(_) => (name, true),
        Err(Unmatched::Unusable) => ("none", true),
        Err(Unmatched::Unknown(_)) => (name, false),
    }
}

/// Checks, hashes and compares passwords, and counts the hashes.
pub(super) struct Hasher {
    min_length: usize,
    count: Counter,
    queue: Queue,
    /// Locked while a hash that takes much memory is computed.
    heavy: Arc<Mutex<()>>,
    unknown: Mutex<BTreeSet<String>>,
    forbidden: Arc<ForbiddenWords>,
    /// The decoys for names without a readable password.
    decoys: watch::Sender<DecoySource>,
    /// The encodings that were compared, in order.
    #[cfg(test)]
    compared: Arc<Mutex<Vec<String>>>,
}

impl Hasher {
    /// Creates a hasher. A new password must not be built on one of `words`.
    pub(super) fn new(min_length: usize, words: &[String]) -> Self {
        let (count, queue) = (Counter::default(), Queue::new());
        Self {
            min_length,
            count,
            queue,
            heavy: Arc::default(),
            unknown: Mutex::default(),
            forbidden: Arc::new(ForbiddenWords::new(words)),
            decoys: watch::Sender::default(),
            #[cfg(test)]
            compared: Arc::default(),
        }
    }

    pub(super) fn count(&self) -> Counter {
        self.count.clone()
    }

    /// Reserves a slot in the queue of hashes; [`Error::Busy`] if the queue is full, or this client or account has no slot
    /// left.
    pub(super) fn reserve(&self, client: QueueClient) -> Result<QueueSlot, Error> {
        self.queue.reserve(client)
    }

    /// Checks the length in code points, which costs nothing.
    fn check_length(&self, password: &Password) -> Result<(), Violation> {
        match password.0.chars().count() {
            0 => Err(Violation::Blank),
            length if length < self.min_length => Err(Violation::TooShort(self.min_length)),
            length if length > MAX_CODE_POINTS => Err(Violation::TooLong(MAX_CODE_POINTS)),
            _ if password.0.contains('\0') => Err(Violation::NullCharacter),
            _ => Ok(()),
        }
    }

    /// Encodes a new password, if it is long enough and not easy to guess (NIST SP 800-63B-4, section 3.1.1.2). No kinds
    /// of characters are required.
    pub(super) async fn encode(
        &self,
        slot: QueueSlot,
        clock: &Clock,
        password: Password,
        owner: PasswordOwner,
    ) -> Result<String, Error> {
        let refused = |rule: Violation| Error::invalid("password", &rule);
        self.check_length(&password).map_err(refused)?;
        let (salt, count, forbidden) = (clock.salt()?, self.count.clone(), Arc::clone(&self.forbidden));
        let work = move |memory: &mut HashMemory| {
            guess::check(&password.0, &owner, &forbidden).map_err(refused)?;
            count.inc();
            Ok(Argon2Hash::make(password.0.as_bytes(), salt, memory)?.to_string())
        };
        self.queue.run(slot, work).await?
    }

    /// Encodes an imported password again after it was verified. The rules for new passwords do not apply to it.
    pub(super) async fn renew(
        &self,
        slot: QueueSlot,
        clock: &Clock,
        password: Password,
    ) -> Result<String, Error> {
        let (salt, count) = (clock.salt()?, self.count.clone());
        let work = move |memory: &mut HashMemory| {
            count.inc();
            Ok(Argon2Hash::make(password.0.as_bytes(), salt, memory)?.to_string())
        };
        self.queue.run(slot, work).await?
    }

    /// Verifies a given password against the stored one of a name; `None` is a user who does not exist.
    ///
    /// Where there is no user, no password or no readable encoding, the given password is compared with a decoy
    /// ([`decoys`]), so that the response time does not distinguish these cases from a wrong password.
    pub(super) async fn verify(
        &self,
        slot: QueueSlot,
        name: &str,
        stored: Option<&str>,
        given: Password,
    ) -> Result<PasswordCheck, Error> {
        let readable = stored.map_or(Err(Unmatched::Unusable), EncodedPassword::parse);
        if let Err(Unmatched::Unknown(algorithm)) = readable {
            self.log_unknown(algorithm);
        }
        // Drawn in every case, because a draw takes time too.
        let drawn = self.decoy(name).await?;
        let decoy = readable.is_err();
        let encoded = readable.map_or(drawn, Arc::new);
        #[cfg(test)]
        self.compared.lock().unwrap().push(encoded.parameters());
        let (count, heavy) = (self.count.clone(), Arc::clone(&self.heavy));
        let work = move |memory: &mut HashMemory| {
            let _alone = limits::is_heavy(encoded.costs())
                .then(|| heavy.lock().unwrap_or_else(PoisonError::into_inner));
            count.inc();
            let matches = encoded.matches(given.0.as_bytes(), memory)?;
            Ok(verdict(matches && !decoy, encoded.is_current()))
        };
        self.queue.run(slot, work).await?
    }

    /// Logs once that there are passwords that cannot be verified. The name comes from an imported row: if it does not look
    /// like a name, it could be anything, even a password.
    fn log_unknown(&self, algorithm: &str) {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_name = matches!(algorithm.len(), 1..=32) && algorithm.chars().all(named);
        let algorithm = if is_name { algorithm } else { "(no name)" };
        let mut logged = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if logged.len() < UNKNOWN_MAX && logged.insert(algorithm.to_owned()) {
            tracing::warn!(
                algorithm,
                "a stored password has an unknown encoding or costs too much: its user needs a new one"
            );
        }
    }
}

impl Hasher {
    pub(super) fn begin_count(&self) {
        self.decoys.send_if_modified(|source| {
            let first = matches!(source, DecoySource::Ours);
            if first {
                *source = DecoySource::Counting;
            }
            first
        });
    }

    /// Ends a count. One that failed changes nothing.
    fn end_count(&self, decoys: Option<&Arc<Decoys>>) {
        self.decoys.send_modify(|source| match (decoys, &source) {
            (Some(decoys), _) => *source = DecoySource::Counted(Arc::clone(decoys)),
            (None, DecoySource::Counting) => *source = DecoySource::Ours,
            (None, _) => {}
        });
    }

    /// Returns the decoy of a name. Every sign-in waits for the first count, also one for a user with a readable password.
    async fn decoy(&self, name: &str) -> Result<Arc<EncodedPassword>, Error> {
        let mut source = self.decoys.subscribe();
        let counted = source.wait_for(|source| !matches!(source, DecoySource::Counting));
        let decoys = match timeout(FIRST_COUNT, counted).await.ok().and_then(Result::ok).as_deref() {
            Some(DecoySource::Counted(decoys)) => Some(Arc::clone(decoys)),
            _ => None,
        };
        match decoys.and_then(|decoys| decoys.draw(name)) {
            Some(decoy) => Ok(decoy),
            None => Ok(Arc::new(EncodedPassword::Argon2(Argon2Hash::decoy()?))),
        }
    }
}

fn verdict(matches: bool, current: bool) -> PasswordCheck {
    match (matches, current) {
        (false, _) => PasswordCheck::Wrong,
        (true, true) => PasswordCheck::Right,
        (true, false) => PasswordCheck::RightButOutdated,
    }
}

#[cfg(test)]
mod tests;
