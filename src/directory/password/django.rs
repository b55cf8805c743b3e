//! The encodings Django keeps passwords in: `<algorithm>$<the rest>`. Those of its default hashers are read,
//! and bcrypt without SHA-256, so that imported people sign in as before.
//!
//! Not read: MD5, SHA-1 without PBKDF2, and crypt, which Django itself has not offered by default since
//! 1.4, because whoever has such a hash has the password; these people need a new one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use bcrypt::HashParts;
use pbkdf2::pbkdf2_hmac;
use sha1::Sha1;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::argon::{Hash, Memory};
use super::limits::{self, Costs};
use crate::directory::error::Error;

/// A stored password that can be compared with a given one.
pub(super) enum Encoded {
    Argon2(Hash),
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
    /// Reads 72 bytes of a password and forgets the rest.
    Bcrypt(HashParts),
    /// The hexadecimal SHA-256 of the password instead of itself, which makes every byte count.
    BcryptSha256(HashParts),
    Scrypt {
        params: scrypt::Params,
        salt: String,
        output: [u8; 64],
    },
}

/// Characters of the salts that Django makes.
const BLANK_SALT: usize = 22;

/// Why no password can match.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unmatched<'a> {
    /// There is no password: `!`, or nothing at all.
    Unusable,
    /// An algorithm that is not known, or its form is broken, or it costs more than [`limits`] bear.
    Unknown(&'a str),
}

impl Encoded {
    /// Reads a stored password.
    pub(super) fn parse(stored: &str) -> Result<Self, Unmatched<'_>> {
        if stored.is_empty() || stored.starts_with(super::UNUSABLE) {
            return Err(Unmatched::Unusable);
        }
        let (algorithm, rest) = stored.split_once('$').unwrap_or((stored, ""));
        let encoded = match algorithm {
            "argon2" => Hash::parse(rest).map(Self::Argon2),
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

    /// Whether it is how a new password would be kept.
    pub(super) fn is_current(&self) -> bool {
        matches!(self, Self::Argon2(hash) if hash.is_current())
    }

    /// The algorithm and its parameters: all that the time of a comparison depends on, and nothing of a password.
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

    /// The same algorithm and parameters with nothing of a password.
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

    /// What it costs in memory; those that take none to speak of cost nothing here.
    pub(super) fn costs(&self) -> Costs {
        match self {
            Self::Argon2(hash) => hash.costs(),
            Self::Scrypt { params, .. } => scrypt_costs(params),
            _ => Costs { memory: 0, work: 0 },
        }
    }

    /// Hashes the given password as the stored one was, and compares in constant time.
    pub(super) fn matches(&self, given: &[u8], memory: &mut Memory) -> Result<bool, Error> {
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

/// `<iterations>$<salt>$<hash>`. The salt is used as text, as Django does; it may be empty, which Django
/// would not make but other programs have.
fn pbkdf2<const N: usize>(rest: &str) -> Option<(u32, String, [u8; N])> {
    let [iterations, salt, output] = parts(rest)?;
    let iterations = iterations.parse().ok().filter(|wanted| limits::ITERATIONS.contains(wanted))?;
    Some((iterations, salt.to_owned(), bytes(output)?))
}

/// `<N>$<salt>$<r>$<p>$<hash>`.
fn scrypt(rest: &str) -> Option<Encoded> {
    let [n, salt, r, p, output] = parts(rest)?;
    let n: u64 = n.parse().ok().filter(|n: &u64| n.is_power_of_two() && *n > 1)?;
    // Below 2^16 their product does not overflow in the crate.
    let (r, p): (u16, u16) = (r.parse().ok()?, p.parse().ok()?);
    let params = scrypt::Params::new(n.ilog2().try_into().ok()?, r.into(), p.into()).ok()?;
    let (salt, output) = (salt.to_owned(), bytes(output)?);
    limits::bearable(scrypt_costs(&params)).then_some(Encoded::Scrypt { params, salt, output })
}

fn scrypt_costs(params: &scrypt::Params) -> Costs {
    let memory = params.n().saturating_mul(128).saturating_mul(params.r().into());
    Costs { memory, work: memory.saturating_mul(params.p().into()) }
}

/// `$2b$12$<22 characters of salt><31 of hash>`. 2x is left out: it marks the hashes of a faulty library.
fn bcrypt_parts(rest: &str) -> Option<HashParts> {
    let version = rest.strip_prefix("$2")?.get(..2)?;
    let parts: HashParts = rest.parse().ok()?;
    (matches!(version, "a$" | "b$" | "y$") && limits::BCRYPT_COST.contains(&parts.get_cost()))
        .then_some(parts)
}

/// The same rounds with zeros for salt and hash, which bcrypt's base 64 writes as dots.
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
