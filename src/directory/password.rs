//! Passwords: the rule for new ones, and the hash that is kept.
//!
//! New hashes are argon2id in Django's encoding (`argon2$argon2id$v=19$...`), so that a directory can go
//! back to Django with its passwords. Hashing is slow on purpose; it runs on threads of its own and never
//! for a token, whose key is random.

use argon2::{Algorithm, Argon2, Params, Version, password_hash::PasswordHasher};
use prometheus_client::metrics::counter::Counter;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

use super::clock::Clock;
use super::error::Error;
use super::model::Rule;

/// Stored instead of a hash when there is no password: no encoding begins so (Django's convention).
pub(super) const UNUSABLE: &str = "!";

/// 64 MiB and two passes: above the first choice of RFC 9106 for memory-constrained environments in
/// memory, below it in passes.
const MEMORY_KIB: u32 = 64 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
/// NIST SP 800-63B-4 asks for at least 64; a bound keeps a request from being a lever.
const MAX_CODE_POINTS: usize = 1024;

/// A password in clear text, on its way to being hashed. It does not print itself.
#[derive(Clone)]
pub struct Password(Zeroizing<String>);

impl Password {
    /// Takes a password as typed; it is not trimmed or normalised.
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl std::fmt::Debug for Password {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Password(***)")
    }
}

/// Checks and hashes passwords, and counts the hashes.
pub(super) struct Hasher {
    min_length: usize,
    count: Counter,
}

impl Hasher {
    pub(super) fn new(min_length: usize) -> Self {
        Self { min_length, count: Counter::default() }
    }

    pub(super) fn count(&self) -> Counter {
        self.count.clone()
    }

    /// The rule for a new password: length alone, in code points (NIST SP 800-63B-4, section 3.1.1.2).
    pub(super) fn check(&self, password: &Password) -> Result<(), Rule> {
        match password.0.chars().count() {
            0 => Err(Rule::Blank),
            length if length < self.min_length => Err(Rule::TooShort(self.min_length)),
            length if length > MAX_CODE_POINTS => Err(Rule::TooLong(MAX_CODE_POINTS)),
            _ if password.0.contains('\0') => Err(Rule::NullCharacter),
            _ => Ok(()),
        }
    }

    /// Checks a new password and makes what is kept of it.
    pub(super) async fn encode(&self, clock: &Clock, password: Password) -> Result<String, Error> {
        self.check(&password).map_err(|rule| Error::invalid("password", &rule))?;
        let salt = clock.salt()?;
        self.count.inc();
        let hashed = spawn_blocking(move || hash(&password, &salt)).await;
        hashed.map_err(|error| Error::broken("hashing a password failed", error))?
    }
}

fn hash(password: &Password, salt: &[u8; 16]) -> Result<String, Error> {
    let broken = |error: String| Error::broken("hashing a password failed", error);
    let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|error| broken(error.to_string()))?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password_with_salt(password.0.as_bytes(), salt);
    Ok(format!("argon2{}", hash.map_err(|error| broken(error.to_string()))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn length_is_counted_in_code_points() {
        let hasher = Hasher::new(8);
        let check = |text: &str| hasher.check(&Password::new(text.to_owned()));
        assert_eq!(check("ééééééé"), Err(Rule::TooShort(8)));
        assert_eq!(check("éééééééé"), Ok(()));
        assert_eq!(check(&"x".repeat(1025)), Err(Rule::TooLong(1024)));
        assert_eq!(check(""), Err(Rule::Blank));
        assert_eq!(check("1234567\0"), Err(Rule::NullCharacter));
    }

    #[test]
    fn the_encoding_is_django_s() {
        let encoded = hash(&Password::new("correct horse battery".into()), &[7; 16]).unwrap();
        assert!(encoded.starts_with("argon2$argon2id$v=19$m=65536,t=2,p=1$"), "{encoded}");
        assert_eq!(format!("{:?}", Password::new("secret".into())), "Password(***)");
    }
}
