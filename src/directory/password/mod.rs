//! Passwords: the rule for new ones, the hash that is kept, and the comparison with a given one.
//!
//! New hashes are argon2id in Django's encoding (`argon2$argon2id$v=19$...`), so that a directory can go
//! back to Django with its passwords; every encoding of Django's default hashers can be compared with.
//! Hashing is slow on purpose; it runs on threads of its own (`queue`) and never for a token, whose key
//! is random.
//!
//! A password is hashed as its UTF-8 bytes, not normalised. NIST SP 800-63B-4 (section 3.1.1.2) advises
//! NFC or NFKC for systems that take Unicode; Django does neither, and a normalised password would not
//! match what people have imported. Who types `é` on one device composed and on another decomposed is refused.

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

use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;
use zeroize::Zeroizing;

use self::argon::{Hash, Memory};
use self::census::Source;
use self::django::{Encoded, Unmatched};
use self::guess::ForbiddenWords;
pub(super) use self::guess::Owner;
use self::queue::Queue;
pub(super) use self::queue::{Place, Share};
use super::clock::Clock;
use super::error::Error;
use super::model::Violation;

/// Stored instead of a hash when there is no password: no encoding begins so (Django's convention).
pub(super) const UNUSABLE: &str = "!";

/// NIST SP 800-63B-4 asks for at least 64; a bound keeps a request from being a lever.
const MAX_CODE_POINTS: usize = 1024;
/// Names of unknown algorithms that are remembered, so that each is logged once.
const UNKNOWN_MAX: usize = 16;

/// A password in clear text, on its way to being hashed. It does not print itself.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as typed; it is not trimmed or normalised.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// Whether both are the same. Both were given by one person: the time it takes tells nobody anything.
    pub(super) fn is(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

/// What comparing a given password with a stored one told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the one, or nothing could be.
    Wrong,
    /// It is the one, kept as a new one would be.
    Right,
    /// It is the one, kept in an older encoding: encode it again.
    RightButOutdated,
}

/// What a stored password is encoded with, and whether anybody can sign in with it; `none` when there is none to
/// sign in with. Other names than those of Django's encodings are not told: they may be passwords in clear.
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
    match Encoded::parse(stored) {
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
    /// Held while a hash is computed that takes much memory.
    heavy: Arc<Mutex<()>>,
    unknown: Mutex<BTreeSet<String>>,
    forbidden: Arc<ForbiddenWords>,
    /// What names without a readable password are compared with.
    decoys: watch::Sender<Source>,
    /// What was compared with, one after the other.
    #[cfg(test)]
    compared: Arc<Mutex<Vec<String>>>,
}

impl Hasher {
    /// On `words` no new password may be built.
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

    /// Takes a place in the line of hashes; [`Error::Busy`] when there is none, for anybody or for this client or
    /// account.
    pub(super) fn place(&self, share: Share) -> Result<Place, Error> {
        self.queue.place(share)
    }

    /// The part of the rule that costs nothing: the length, in code points.
    fn check_length(&self, password: &Password) -> Result<(), Violation> {
        match password.0.chars().count() {
            0 => Err(Violation::Blank),
            length if length < self.min_length => Err(Violation::TooShort(self.min_length)),
            length if length > MAX_CODE_POINTS => Err(Violation::TooLong(MAX_CODE_POINTS)),
            _ if password.0.contains('\0') => Err(Violation::NullCharacter),
            _ => Ok(()),
        }
    }

    /// Makes what is kept of its owner's new password, if it has the length and is not one of the first that
    /// somebody would try (NIST SP 800-63B-4, section 3.1.1.2). Kinds of characters are not asked for.
    pub(super) async fn encode(
        &self,
        place: Place,
        clock: &Clock,
        password: Password,
        owner: Owner,
    ) -> Result<String, Error> {
        let refused = |rule: Violation| Error::invalid("password", &rule);
        self.check_length(&password).map_err(refused)?;
        let (salt, count, forbidden) = (clock.salt()?, self.count.clone(), Arc::clone(&self.forbidden));
        let work = move |memory: &mut Memory| {
            guess::check(&password.0, &owner, &forbidden).map_err(refused)?;
            count.inc();
            Ok(Hash::make(password.0.as_bytes(), salt, memory)?.to_string())
        };
        self.queue.run(place, work).await?
    }

    /// Makes anew what is kept of a password that was right: of an imported one, which the rule for new
    /// passwords does not concern.
    pub(super) async fn renew(
        &self,
        place: Place,
        clock: &Clock,
        password: Password,
    ) -> Result<String, Error> {
        let (salt, count) = (clock.salt()?, self.count.clone());
        let work = move |memory: &mut Memory| {
            count.inc();
            Ok(Hash::make(password.0.as_bytes(), salt, memory)?.to_string())
        };
        self.queue.run(place, work).await?
    }

    /// Compares a given password with what is stored of a name's. [`Error::Busy`] when too many wait.
    ///
    /// `None` is a user who does not exist. For that, for a user without a password and for an encoding that
    /// cannot be read, the given one is compared with a decoy ([`decoys`]), so that the time of the answer does
    /// not tell them from a wrong password.
    pub(super) async fn verify(
        &self,
        place: Place,
        name: &str,
        stored: Option<&str>,
        given: Password,
    ) -> Result<Verdict, Error> {
        let readable = stored.map_or(Err(Unmatched::Unusable), Encoded::parse);
        if let Err(Unmatched::Unknown(algorithm)) = readable {
            self.tell_unknown(algorithm);
        }
        // Drawn for everybody, since a draw takes its time, too.
        let drawn = self.decoy(name).await?;
        let decoy = readable.is_err();
        let encoded = readable.map_or(drawn, Arc::new);
        #[cfg(test)]
        self.compared.lock().unwrap().push(encoded.parameters());
        let (count, heavy) = (self.count.clone(), Arc::clone(&self.heavy));
        let work = move |memory: &mut Memory| {
            let _alone =
                limits::heavy(encoded.costs()).then(|| heavy.lock().unwrap_or_else(PoisonError::into_inner));
            count.inc();
            let matches = encoded.matches(given.0.as_bytes(), memory)?;
            Ok(verdict(matches && !decoy, encoded.is_current()))
        };
        self.queue.run(place, work).await?
    }

    /// Logs once that there are passwords nobody can match. The name comes from an imported row: what does
    /// not look like one could be anything, even a password.
    fn tell_unknown(&self, algorithm: &str) {
        let named = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
        let is_name = matches!(algorithm.len(), 1..=32) && algorithm.chars().all(named);
        let algorithm = if is_name { algorithm } else { "(no name)" };
        let mut told = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() < UNKNOWN_MAX && told.insert(algorithm.to_owned()) {
            tracing::warn!(
                algorithm,
                "a stored password cannot be read, or costs too much: its user needs a new one"
            );
        }
    }
}

fn verdict(matches: bool, current: bool) -> Verdict {
    match (matches, current) {
        (false, _) => Verdict::Wrong,
        (true, true) => Verdict::Right,
        (true, false) => Verdict::RightButOutdated,
    }
}

#[cfg(test)]
mod tests;
