//! Django's password encodings: `<algorithm>$<the rest>`. Those of its default hashers and plain bcrypt are supported, so
//! imported users sign in as before.
//!
//! MD5, SHA-1 without PBKDF2 and crypt are not supported: Django has not enabled them by default since 1.4, because such a
//! hash reveals the password. These users need a new password.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bcrypt::HashParts;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::argon::{Argon2Hash, HashMemory};
use super::limits::{self, HashCost};
use crate::directory::error::Error;

/// A stored password that can be compared with a given one.
pub(super) enum EncodedPassword {
    Argon2(Argon2Hash),
    Pbkdf2Sha256 {
        iterations: u32,
        salt: String,
        output: [u8; 32],
    },
    Pbkdf2Sha1 {
        iterations: u32,
        salt: String,
        output: [u8; 20],
    },
    /// Uses the first 72 bytes of a password and ignores the rest.
    Bcrypt(HashParts),
    /// Uses the hexadecimal SHA-256 of the password, so that every byte counts.
    BcryptSha256(HashParts),
    Scrypt {
        params: scrypt::Params,
        salt: String,
        output: [u8; 64],
    },
}

/// Stored instead of a hash when there is no password. No encoding begins with it (Django's convention).
pub(in crate::directory) const UNUSABLE: &str = "!";

/// The number of characters of the salts that Django makes.
const BLANK_SALT: usize = 22;

/// Why no password can match.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmatched<'a> {
    /// There is no password: `!`, or nothing at all.
    Unusable,
    /// The algorithm is unknown, the form is broken, or the cost exceeds [`limits`].
    Unknown(&'a str),
}

impl EncodedPassword {
    /// Parses a stored password.
    pub(super) fn parse(stored: &str) -> Result<Self, Unmatched<'_>> {
        if stored.is_empty() || stored.starts_with(UNUSABLE) {
            return Err(Unmatched::Unusable);
        }
        let (algorithm, rest) = stored.split_once('$').unwrap_or((stored, ""));
        let encoded = match algorithm {
            "argon2" => Argon2Hash::parse(rest).map(Self::Argon2),
            "pbkdf2_sha256" => {
                pbkdf2(rest).map(|(iterations, salt, output)| Self::Pbkdf2Sha256 { iterations, salt, output })
            }
            "pbkdf2_sha1" => {
                pbkdf2(rest).map(|(iterations, salt, output)| Self::Pbkdf2Sha1 { iterations, salt, output })
            }
            "bcrypt" => bcrypt_parts(rest).map(Self::Bcrypt),
            "bcrypt_sha256" => bcrypt_parts(rest).map(Self::BcryptSha256),
            "scrypt" => scrypt(rest),
            _ => None,
        };
        encoded.ok_or(Unmatched::Unknown(algorithm))
    }

    /// Reports whether a new password would be encoded the same way.
    pub(super) fn is_current(&self) -> bool {
        matches!(self, Self::Argon2(hash) if hash.is_current())
    }

    /// Returns the algorithm and its parameters: all that the time of a comparison depends on, and nothing of a password.
    pub(super) fn parameters(&self) -> String {
        match self {
            Self::Argon2(hash) => format!("argon2${}", hash.parameters()),
            Self::Pbkdf2Sha256 { iterations, .. } => format!("pbkdf2_sha256${iterations}"),
            Self::Pbkdf2Sha1 { iterations, .. } => format!("pbkdf2_sha1${iterations}"),
            Self::Bcrypt(parts) => format!("bcrypt${}", parts.get_cost()),
            Self::BcryptSha256(parts) => format!("bcrypt_sha256${}", parts.get_cost()),
            Self::Scrypt { params, .. } => format!("scrypt${}${}${}", params.n(), params.r(), params.p()),
        }
    }

    /// Returns an encoding with the same algorithm and parameters, and nothing of the password.
    pub(super) fn blank(self) -> Option<Self> {
        let salt = "0".repeat(BLANK_SALT);
        Some(match self {
            Self::Argon2(hash) => Self::Argon2(hash.blank()),
            Self::Pbkdf2Sha256 { iterations, .. } => Self::Pbkdf2Sha256 { iterations, salt, output: [0; 32] },
            Self::Pbkdf2Sha1 { iterations, .. } => Self::Pbkdf2Sha1 { iterations, salt, output: [0; 20] },
            Self::Bcrypt(parts) => Self::Bcrypt(bcrypt_blank(&parts)?),
            Self::BcryptSha256(parts) => Self::BcryptSha256(bcrypt_blank(&parts)?),
            Self::Scrypt { params, .. } => Self::Scrypt { params, salt, output: [0; 64] },
        })
    }

    /// Returns the memory cost; zero for algorithms that use little memory.
    pub(super) fn costs(&self) -> HashCost {
        match self {
            Self::Argon2(hash) => hash.costs(),
            Self::Scrypt { params, .. } => scrypt_costs(params),
            _ => HashCost { memory: 0, work: 0 },
        }
    }

    /// Hashes the given password with the same parameters, and compares in constant time.
    pub(super) fn matches(&self, given: &[u8], memory: &mut HashMemory) -> Result<bool, Error> {
        Ok(match self {
            Self::Argon2(hash) => hash.matches(given, memory)?,
            Self::Pbkdf2Sha256 { iterations, salt, output } => {
                let mut made = [0; 32];
                pbkdf2_hmac::<Sha256>(given, salt.as_bytes(), *iterations, &mut made);
                made.ct_eq(output).into()
            }
            Self::Pbkdf2Sha1 { iterations, salt, output } => {
                let mut made = [0; 20];
                pbkdf2_hmac::<Sha1>(given, salt.as_bytes(), *iterations, &mut made);
                made.ct_eq(output).into()
            }
            Self::Bcrypt(parts) => bcrypt_matches(given, parts)?,
            Self::BcryptSha256(parts) => bcrypt_matches(hex_sha256(given).as_bytes(), parts)?,
            Self::Scrypt { params, salt, output } => {
                let mut made = [0; 64];
                scrypt::scrypt(given, salt.as_bytes(), params, &mut made).map_err(broken)?;
                made.ct_eq(output).into()
            }
        })
    }
}

/// Parses `<iterations>$<salt>$<hash>`. The salt is used as text, as in Django. It may be empty: Django does not make such
/// salts, but other programs do.
fn pbkdf2<const N: usize>(rest: &str) -> Option<(u32, String, [u8; N])> {
    let [iterations, salt, output] = parts(rest)?;
    let iterations = iterations.parse().ok().filter(|wanted| limits::ITERATIONS.contains(wanted))?;
    Some((iterations, salt.to_owned(), bytes(output)?))
}

/// Parses `<N>$<salt>$<r>$<p>$<hash>`.
fn scrypt(rest: &str) -> Option<EncodedPassword> {
    let [n, salt, r, p, output] = parts(rest)?;
    let n: u64 = n.parse().ok().filter(|n: &u64| n.is_power_of_two() && *n > 1)?;
    // Below 2^16, their product does not overflow in the crate.
    let (r, p): (u16, u16) = (r.parse().ok()?, p.parse().ok()?);
    let params = scrypt::Params::new(n.ilog2().try_into().ok()?, r.into(), p.into()).ok()?;
    let (salt, output) = (salt.to_owned(), bytes(output)?);
    limits::is_affordable(scrypt_costs(&params)).then_some(EncodedPassword::Scrypt { params, salt, output })
}

fn scrypt_costs(params: &scrypt::Params) -> HashCost {
    let memory = params.n().saturating_mul(128).saturating_mul(params.r().into());
    HashCost { memory, work: memory.saturating_mul(params.p().into()) }
}

/// Parses `$2b$12$<22 characters of salt><31 of hash>`. 2x is refused: it marks the hashes of a faulty library.
fn bcrypt_parts(rest: &str) -> Option<HashParts> {
    let version = rest.strip_prefix("$2")?.get(..2)?;
    let parts: HashParts = rest.parse().ok()?;
    (matches!(version, "a$" | "b$" | "y$") && limits::BCRYPT_COST.contains(&parts.get_cost()))
        .then_some(parts)
}

/// Returns the same rounds with zeros for salt and hash, which bcrypt's base 64 writes as dots.
fn bcrypt_blank(parts: &HashParts) -> Option<HashParts> {
    format!("$2b${:02}${:.<53}", parts.get_cost(), "").parse().ok()
}

fn bcrypt_matches(given: &[u8], parts: &HashParts) -> Result<bool, Error> {
    let made = bcrypt::hash_with_salt(given, parts.get_cost(), parts.get_salt_raw()).map_err(broken)?;
    let (made, stored) = (Zeroizing::new(made.to_string()), Zeroizing::new(parts.to_string()));
    Ok(made.as_bytes().ct_eq(stored.as_bytes()).into())
}

fn hex_sha256(given: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(Sha256::digest(given).iter().map(|byte| format!("{byte:02x}")).collect())
}

fn parts<const N: usize>(rest: &str) -> Option<[&str; N]> {
    rest.split('$').collect::<Vec<_>>().try_into().ok()
}

fn bytes<const N: usize>(base64: &str) -> Option<[u8; N]> {
    BASE64.decode(base64).ok()?.try_into().ok()
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::broken("hashing a password failed", error.to_string())
}

#[cfg(test)]
mod tests;
#[cfg(test)]
pub(super) mod vectors;
