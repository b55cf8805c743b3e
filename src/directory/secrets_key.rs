//! The secrets key: what must be readable again is encrypted with it, and short codes are kept as its HMAC.
//!
//! The key is in a file of the operator, never in the database or in a backup: who steals either of them can read nothing.
//! From the 32 bytes of the file, HKDF-SHA256 (RFC 5869) derives a key for each purpose and, with a random salt, for each
//! value. So no nonce is used twice with a key. A sealed value is
//! `1 | key id (4 bytes) | salt (16 bytes) | ChaCha20-Poly1305 (RFC 8439) of the text`, and is bound to its purpose and place.
//!
//! The file may hold several keys, a line each. The first one seals; all of them open. That is how a key is replaced.
//!
//! Never in here: a file, a table, or a key in a message.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::hmac;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::clock::Clock;
use super::error::Error;

/// What a derived key is for. A value of one purpose cannot be opened for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Texts and addresses of messages in the outbox.
    Outbox,
    /// One-time codes.
    Code,
    /// Links of invitations and forgotten passwords.
    Link,
}

impl Purpose {
    fn info(self) -> &'static [u8] {
        match self {
            Self::Outbox => b"wardroom outbox 1",
            Self::Code => b"wardroom code 1",
            Self::Link => b"wardroom link 1",
        }
    }
}

const VERSION: u8 = 1;
const ID_BYTES: usize = 4;
const SALT_BYTES: usize = 16;
/// The most keys that a file may hold.
const MOST_KEYS: usize = 8;

/// The keys of a file, the sealing one first.
pub struct SecretsKeys(Vec<OneKey>);

struct OneKey {
    id: [u8; ID_BYTES],
    bytes: Zeroizing<[u8; 32]>,
}

/// Only ids are shown.
impl fmt::Debug for SecretsKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SecretsKeys").field(&self.ids()).finish()
    }
}

/// The length of a derived key.
struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

impl OneKey {
    fn new(bytes: Zeroizing<[u8; 32]>) -> Option<Self> {
        let derived = derive(&bytes, &[], b"wardroom key id")?;
        let id = derived.first_chunk::<ID_BYTES>().copied()?;
        Some(Self { id, bytes })
    }

    fn aead(&self, purpose: Purpose, salt: &[u8]) -> Option<LessSafeKey> {
        let derived = derive(&self.bytes, salt, purpose.info())?;
        UnboundKey::new(&CHACHA20_POLY1305, &*derived).ok().map(LessSafeKey::new)
    }

    fn mac(&self, purpose: Purpose, data: &[u8]) -> Option<hmac::Tag> {
        let derived = derive(&self.bytes, b"hmac", purpose.info())?;
        Some(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &*derived), data))
    }
}

fn derive(key: &[u8; 32], salt: &[u8], info: &[u8]) -> Option<Zeroizing<[u8; 32]>> {
    let mut derived = Zeroizing::new([0; 32]);
    let extracted = Salt::new(HKDF_SHA256, salt).extract(key);
    extracted.expand(&[info], Bytes32).and_then(|okm| okm.fill(&mut *derived)).ok()?;
    Some(derived)
}

/// Why a value was not opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// No key of the file has the id in the value.
    #[error("the key {0} is not in secrets_key_file: add it as a second line")]
    UnknownKey(String),
    /// The value was not made by this program, for this purpose and place.
    #[error("the value is damaged, or belongs to another place")]
    Damaged,
}

impl SecretsKeys {
    /// Parses the text of a key file: lines with 32 bytes in base64. Empty lines and lines with `#` do not count. The error
    /// quotes nothing.
    pub fn parse(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().map(|(at, line)| (at + 1, line.trim()));
        let mut keys: Vec<OneKey> = Vec::new();
        for (number, line) in lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')) {
            let wrong = || format!("line {number} is not a key: make one with `wardroom secrets generate`");
            let decoded = Zeroizing::new(STANDARD.decode(line).map_err(|_| wrong())?);
            let bytes = <[u8; 32]>::try_from(decoded.as_slice()).map_err(|_| wrong())?;
            if bytes.iter().all(|byte| Some(byte) == bytes.first()) {
                return Err(wrong());
            }
            let key = OneKey::new(Zeroizing::new(bytes)).ok_or_else(wrong)?;
            if keys.iter().any(|other| other.id == key.id) {
                return Err(format!("line {number} repeats a key: remove it"));
            }
            keys.push(key);
        }
        match keys.len() {
            0 => Err("there is no key in it: make one with `wardroom secrets generate`".to_owned()),
            1..=MOST_KEYS => Ok(Self(keys)),
            _ => Err(format!("it has more than {MOST_KEYS} keys: remove those that no value needs")),
        }
    }

    /// Makes the line of a new key.
    pub fn generate(clock: &Clock) -> Result<Zeroizing<String>, Error> {
        Ok(Zeroizing::new(STANDARD.encode(*Zeroizing::new(clock.secret()?))))
    }

    /// The ids of the keys, the sealing one first: 8 hexadecimal digits each.
    pub fn ids(&self) -> Vec<String> {
        self.0.iter().map(|key| hex(&key.id)).collect()
    }

    /// Encrypts a text for a purpose and a place, such as the id of its row.
    pub fn seal(&self, clock: &Clock, purpose: Purpose, place: &str, text: &[u8]) -> Result<Vec<u8>, Error> {
        let broken = || Error::broken("a value cannot be encrypted", "there is no usable key");
        let key = self.0.first().ok_or_else(broken)?;
        let salt = clock.salt()?;
        let mut sealed = text.to_vec();
        key.aead(purpose, &salt)
            .ok_or_else(broken)?
            .seal_in_place_append_tag(no_nonce(), Aad::from(place.as_bytes()), &mut sealed)
            .map_err(|_| broken())?;
        Ok([&[VERSION], &key.id[..], &salt, &sealed].concat())
    }

    /// Decrypts a value for its purpose and place.
    pub fn open(
        &self,
        purpose: Purpose,
        place: &str,
        sealed: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, rest) = split(sealed).ok_or(SealError::Damaged)?;
        let (salt, sealed) = rest.split_at_checked(SALT_BYTES).ok_or(SealError::Damaged)?;
        let key = self.0.iter().find(|key| key.id == id).ok_or_else(|| SealError::UnknownKey(hex(&id)))?;
        let mut text = Zeroizing::new(sealed.to_vec());
        let opened = key.aead(purpose, salt).ok_or(SealError::Damaged)?;
        let opened = opened
            .open_in_place(no_nonce(), Aad::from(place.as_bytes()), &mut text)
            .map_err(|_| SealError::Damaged)?
            .len();
        text.truncate(opened);
        Ok(text)
    }

    /// Whether a sealed value or a code was made with the sealing key.
    pub fn is_current(&self, value: &[u8]) -> bool {
        split(value).zip(self.0.first()).is_some_and(|((id, _), first)| id == first.id)
    }

    /// Returns the id of the key of a sealed value.
    pub fn id_of(value: &[u8]) -> Option<String> {
        split(value).map(|(id, _)| hex(&id))
    }

    /// Returns the HMAC-SHA256 of data under the key of a purpose, with the key's id in front.
    pub fn mac(&self, purpose: Purpose, data: &[u8]) -> Result<Vec<u8>, Error> {
        let key = self.0.first();
        let tag =
            key.and_then(|key| Some([&[VERSION], &key.id[..], key.mac(purpose, data)?.as_ref()].concat()));
        tag.ok_or_else(|| Error::broken("a code cannot be computed", "there is no usable key"))
    }

    /// Whether [`Self::mac`] returns this for the data, with any of the keys. It takes the same time for right and wrong data.
    pub fn has_mac(&self, purpose: Purpose, data: &[u8], mac: &[u8]) -> bool {
        let Some((id, tag)) = split(mac) else { return false };
        let key = self.0.iter().find(|key| key.id == id).or(self.0.first());
        let expected = key.and_then(|key| Some((key.id, key.mac(purpose, data)?)));
        expected.is_some_and(|(known, expected)| (known == id) & bool::from(expected.as_ref().ct_eq(tag)))
    }
}

/// Each key is used for one text, so the nonce may always be the same.
fn no_nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; 12])
}

fn split(value: &[u8]) -> Option<([u8; ID_BYTES], &[u8])> {
    let (version, rest) = value.split_first()?;
    let (id, rest) = rest.split_first_chunk::<ID_BYTES>()?;
    (*version == VERSION).then_some((*id, rest))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seed: u8) -> String {
        let bytes: Vec<u8> = (0..32).map(|at| seed.wrapping_add(at)).collect();
        STANDARD.encode(bytes)
    }

    #[test]
    fn a_value_opens_with_its_key_purpose_and_place_only() {
        let clock = Clock::system().unwrap();
        let keys = SecretsKeys::parse(&line(1)).unwrap();
        let sealed = keys.seal(&clock, Purpose::Outbox, "msg_1", b"planted-secret").unwrap();
        assert!(!sealed.windows(7).any(|part| part == b"planted"));
        assert_ne!(sealed, keys.seal(&clock, Purpose::Outbox, "msg_1", b"planted-secret").unwrap());
        assert_eq!(&**keys.open(Purpose::Outbox, "msg_1", &sealed).unwrap(), b"planted-secret");
        for (purpose, place) in [(Purpose::Code, "msg_1"), (Purpose::Outbox, "msg_2")] {
            assert_eq!(keys.open(purpose, place, &sealed), Err(SealError::Damaged));
        }
        let other = SecretsKeys::parse(&line(2)).unwrap();
        let unknown = other.open(Purpose::Outbox, "msg_1", &sealed).unwrap_err();
        assert_eq!(unknown, SealError::UnknownKey(keys.ids()[0].clone()));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys.open(Purpose::Outbox, "msg_1", &changed).is_err(), "byte {at}");
            assert!(keys.open(Purpose::Outbox, "msg_1", &sealed[..at]).is_err(), "{at} bytes");
        }
    }

    #[test]
    fn an_older_key_still_opens_and_the_first_one_seals() {
        let clock = Clock::system().unwrap();
        let old = SecretsKeys::parse(&line(1)).unwrap();
        let both = SecretsKeys::parse(&format!("# new\n{}\n\n{}\n", line(2), line(1))).unwrap();
        let sealed = old.seal(&clock, Purpose::Outbox, "", b"x").unwrap();
        assert_eq!(&**both.open(Purpose::Outbox, "", &sealed).unwrap(), b"x");
        assert!(old.is_current(&sealed) && !both.is_current(&sealed));
        let again = both.seal(&clock, Purpose::Outbox, "", b"x").unwrap();
        assert!(
            both.is_current(&again)
                && matches!(old.open(Purpose::Outbox, "", &again), Err(SealError::UnknownKey(_)))
        );
        let mac = old.mac(Purpose::Code, b"123456").unwrap();
        assert!(old.has_mac(Purpose::Code, b"123456", &mac) && both.has_mac(Purpose::Code, b"123456", &mac));
        assert!(
            !both.has_mac(Purpose::Code, b"123457", &mac) && !both.has_mac(Purpose::Link, b"123456", &mac)
        );
        let new = SecretsKeys::parse(&line(2)).unwrap();
        assert!(!new.has_mac(Purpose::Code, b"123456", &mac) && !new.has_mac(Purpose::Code, b"", b""));
    }

    #[test]
    fn a_file_without_a_usable_key_is_refused_without_its_text() {
        let short = STANDARD.encode([7; 16]);
        let constant = STANDARD.encode([7; 32]);
        let twice = format!("{0}\n{0}", line(1));
        let many = (0..9).map(line).collect::<Vec<_>>().join("\n");
        for text in ["", "\n# only a comment\n", "planted-secret", &short, &constant, &twice, &many] {
            let error = SecretsKeys::parse(text).unwrap_err();
            assert!(text.is_empty() || !error.contains(text), "{error}");
            assert!(error.contains("make one") || error.contains("remove"), "{error}");
        }
        let keys = SecretsKeys::parse(&line(1)).unwrap();
        assert_eq!(format!("{keys:?}"), format!("SecretsKeys([\"{}\"])", keys.ids()[0]));
        let made = SecretsKeys::generate(&Clock::system().unwrap()).unwrap();
        assert!(SecretsKeys::parse(&made).is_ok());
    }
}
