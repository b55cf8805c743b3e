//! A token: the key that its owner has, the digest that is stored, and the row that lists it.
//!
//! A key that this program makes is `wrd_`, 30 random base62 digits (178 bits), and 6 base62 digits of the CRC-32 of those 34
//! characters: 40 in all, the width of the key column of Django REST Framework. With the checksum, a mistyped or made-up key
//! is refused without a look-up, and secret scanners can recognise a key. Only a digest of a key is ever stored, SHA-256 for
//! the keys of this program: a random key needs no slow hash.

use std::fmt;
use std::time::Duration;

use sha2::{Digest, Sha256, Sha512};
use zeroize::Zeroizing;

use super::{Maker, Narrowing, Timestamp, TokenId, TokenKind, TokenState, UserId, Violation};

/// How every key that this program makes begins.
pub const KEY_PREFIX: &str = "wrd_";
const RANDOM_DIGITS: usize = 30;
const CHECK_DIGITS: usize = 6;
const KEY_LENGTH: usize = KEY_PREFIX.len() + RANDOM_DIGITS + CHECK_DIGITS;
/// Longer keys are not hashed: no system that we import from has them.
const KEY_LENGTH_MAX: usize = 256;
const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// A key in clear text. It is shown once, never stored, and does not print itself.
#[derive(Clone)]
pub struct TokenKey(Zeroizing<String>);

impl TokenKey {
    /// Makes a key from the random bytes that `fill` writes into its buffers.
    pub fn generate<E>(mut fill: impl FnMut(&mut [u8]) -> Result<(), E>) -> Result<Self, E> {
        let mut key = Zeroizing::new(String::with_capacity(KEY_LENGTH));
        key.push_str(KEY_PREFIX);
        while key.len() < KEY_PREFIX.len() + RANDOM_DIGITS {
            let mut byte = [0_u8; 1];
            fill(&mut byte)?;
            // 248 is the largest multiple of 62 in a byte: larger values would favour the first digits.
            if let [byte @ 0..248] = byte {
                key.push(base62_digit(u32::from(byte)));
            }
        }
        let check = checksum(&key);
        key.push_str(&check);
        Ok(Self(key))
    }

    /// A key of another system, for import.
    pub fn imported(key: String) -> Self {
        Self(Zeroizing::new(key))
    }

    /// Returns the key itself, which its owner is shown once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Returns the digest that is stored.
    pub fn digest(&self) -> TokenDigest {
        TokenDigest(Sha256::digest(self.0.as_bytes()).into())
    }

    /// Returns the first characters, which lists show: `wrd_` and four more, or some of a key of another system.
    pub fn prefix(&self) -> String {
        self.0.chars().take(self.shown().0).collect()
    }

    /// Returns the last four characters, or fewer of a short key of another system.
    pub fn last_four(&self) -> String {
        let skipped = self.0.chars().count().saturating_sub(self.shown().1);
        self.0.chars().skip(skipped).collect()
    }

    /// Returns how many characters of its beginning and its end a list shows: of a key of another system at most a third, and
    /// at most an eighth if it has fewer than 16 characters.
    fn shown(&self) -> (usize, usize) {
        match self.0.chars().count() {
            _ if is_ours(&self.0) => (8, 4),
            length @ ..16 => (length / 8, 0),
            length => ((length / 6).min(4), (length / 6).min(4)),
        }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKey(***)")
    }
}

fn base62_digit(value: u32) -> char {
    let index = usize::try_from(value % 62).unwrap_or_default();
    BASE62.get(index).copied().map_or('0', char::from)
}

fn checksum(text: &str) -> String {
    let mut rest = crc32fast::hash(text.as_bytes());
    let mut digits = ['0'; CHECK_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = base62_digit(rest);
        rest /= 62;
    }
    digits.iter().collect()
}

/// The SHA-256 of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenDigest([u8; 32]);

impl TokenDigest {
    /// Returns the digest to look up for a presented key. `None` if no token can have this key: it has our prefix but not our
    /// length or checksum, or it is empty or longer than 256 bytes.
    pub fn of_presented(key: &str) -> Option<Self> {
        let is_foreign = !key.starts_with(KEY_PREFIX) && (1..=KEY_LENGTH_MAX).contains(&key.len());
        let plausible = is_foreign || Self::has_own_form(key);
        plausible.then(|| Self(Sha256::digest(key.as_bytes()).into()))
    }

    /// Whether a presented key has the form of the keys of this program, with its checksum.
    pub fn has_own_form(key: &str) -> bool {
        key.starts_with(KEY_PREFIX) && is_ours(key)
    }

    /// Returns a digest that no token has: no text is known whose SHA-256 is zero.
    pub fn of_no_token() -> Self {
        Self([0; 32])
    }

    /// Returns the bytes that are stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenDigest(***)")
    }
}

/// The stored digest of a key: SHA-256, or SHA-512 for a key of django-rest-knox, which has nothing else (<https://jazzband.github.io/django-rest-knox/settings/>,
/// `SECURE_HASH_ALGORITHM`).
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum KeptDigest {
    /// Of a key of this program, or of one that was imported in clear text.
    Sha256(TokenDigest),
    /// Imported as a digest.
    Sha512(Box<[u8; 64]>),
}

impl KeptDigest {
    /// Returns the digests besides its [`TokenDigest`] that a presented key may be stored as; none for a key of our form.
    /// Version 5 of knox hashes the key's text, version 4 the bytes that its hexadecimal digits stand for.
    pub fn of_another_system(key: &str) -> [Option<Self>; 2] {
        if key.starts_with(KEY_PREFIX) {
            return [None, None];
        }
        let hashed = |bytes: &[u8]| Self::Sha512(Box::new(Sha512::digest(bytes).into()));
        [Some(hashed(key.as_bytes())), unhex(key).map(|bytes| hashed(&bytes))]
    }

    /// Parses the output of [`fmt::LowerHex`]: 64 hexadecimal digits of SHA-256, or 128 of SHA-512.
    pub fn from_hex(hex: &str) -> Option<Self> {
        Self::try_from(unhex(hex)?).ok()
    }

    /// Returns the bytes that are stored.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Sha256(digest) => digest.as_bytes(),
            Self::Sha512(digest) => digest.as_slice(),
        }
    }
}

impl TryFrom<Vec<u8>> for KeptDigest {
    type Error = Violation;
    fn try_from(bytes: Vec<u8>) -> Result<Self, Violation> {
        let sha256 = bytes.as_slice().try_into().map(|digest| Self::Sha256(TokenDigest(digest)));
        sha256
            .or_else(|_| bytes.as_slice().try_into().map(|digest| Self::Sha512(Box::new(digest))))
            .map_err(|_| Violation::Other("A digest is SHA-256 or SHA-512.".to_owned()))
    }
}

impl fmt::LowerHex for KeptDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_bytes().iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeptDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeptDigest(***)")
    }
}

/// Decodes hexadecimal digits.
fn unhex(hex: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = hex.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0)?;
    Some(digits.chunks(2).map(|pair| pair.iter().fold(0, |byte, digit| (byte << 4) | digit)).collect())
}

fn is_ours(key: &str) -> bool {
    key.len() == KEY_LENGTH
        && key
            .split_at_checked(KEY_LENGTH - CHECK_DIGITS)
            .is_some_and(|(rest, check)| checksum(rest) == check)
}

/// A token as listed: everything except the key. Expired and revoked tokens stay listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Never used again after a deletion.
    pub id: TokenId,
    /// The id of its owner.
    pub user_id: UserId,
    /// The owner's name for it; may be empty when imported.
    pub name: String,
    /// Where it came from.
    pub kind: TokenKind,
    /// The first characters of the key.
    pub prefix: String,
    /// The last four characters of the key; empty when only a digest was imported.
    pub last_four: String,
    /// When it was issued.
    pub created_at: Timestamp,
    /// When it expires; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, to within the interval of recording.
    pub last_used_at: Option<Timestamp>,
    /// What made it.
    pub made_by: Maker,
    /// The sign-in that it came from, as the digest of the first token of that sign-in. For that token it is its own digest.
    pub root: Option<KeptDigest>,
    /// What it is narrowed to.
    pub narrowing: Narrowing,
    /// How the owner of a browser session proved who they are: names of RFC 8176 with a blank between them.
    pub amr: Option<String>,
    /// How long it may go unused; `None` without a limit, and where a use case has not looked it up.
    pub idle_limit: Option<Duration>,
}

impl Token {
    /// Returns the state at a time. At its expiry a token is no longer valid, nor when it has gone unused for too long.
    pub fn state(&self, now: Timestamp) -> TokenState {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => TokenState::Revoked,
            (None, Some(end)) if end <= now => TokenState::Expired,
            _ if self.idle_limit.is_some_and(|limit| self.idle_end(limit) <= now) => TokenState::Expired,
            _ => TokenState::Active,
        }
    }

    /// Returns when a token that may go unused for this long ends.
    pub fn idle_end(&self, timeout: Duration) -> Timestamp {
        let used = self.last_used_at.map_or(self.created_at, |used| used.max(self.created_at));
        used.plus(timeout).unwrap_or(Timestamp::LAST)
    }

    /// Returns when the owner of a browser session last proved who they are: each proof makes a new token.
    pub fn authenticated_at(&self) -> Option<Timestamp> {
        (self.kind == TokenKind::Browser).then_some(self.created_at)
    }

    /// Whether the last proof was a password. A one-time code proves less: who has stolen a telephone or a mailbox has it.
    pub fn has_password_proof(&self) -> bool {
        self.amr.as_deref().unwrap_or_default().split(' ').any(|proof| proof == "pwd")
    }
}

/// A token in a list of all tokens, with the name of its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedToken {
    /// The token.
    pub token: Token,
    /// The username of its owner; `None` for an actor who may not read users.
    pub username: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key_from(seed: u64) -> TokenKey {
        let mut state = seed;
        let fill = |buffer: &mut [u8]| {
            for byte in buffer {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                *byte = (state >> 56) as u8;
            }
            Ok::<_, std::convert::Infallible>(())
        };
        TokenKey::generate(fill).unwrap()
    }

    proptest! {
        #[test]
        fn a_key_is_forty_characters_and_accepts_itself(seed: u64) {
            let key = key_from(seed);
            prop_assert_eq!(key.reveal().len(), 40);
            prop_assert!(key.reveal().bytes().skip(4).all(|b| b.is_ascii_alphanumeric()));
            prop_assert_eq!(TokenDigest::of_presented(key.reveal()), Some(key.digest()));
        }

        #[test]
        fn one_changed_character_is_refused_without_a_look_up(seed: u64, at in 4_usize..40, by in 1_usize..62) {
            let mut bytes = key_from(seed).reveal().as_bytes().to_vec();
            let old = BASE62.iter().position(|b| *b == bytes[at]).unwrap();
            bytes[at] = BASE62[(old + by) % 62];
            prop_assert_eq!(TokenDigest::of_presented(std::str::from_utf8(&bytes).unwrap()), None);
        }

        #[test]
        fn no_presented_text_panics(key in "\\PC*") {
            let _ = TokenDigest::of_presented(&key);
        }
    }

    #[test]
    fn keys_of_other_systems_are_looked_up() {
        assert!(TokenDigest::of_presented("f4e75eab6e0f663a972d145478d6fc4b81762070").is_some());
        assert!(TokenDigest::of_presented("ключ").is_some());
        assert!(TokenDigest::of_presented(&"k".repeat(257)).is_none());
        assert!(TokenDigest::of_presented("").is_none());
        assert!(TokenDigest::of_presented("wrd_short").is_none());
    }

    #[test]
    fn a_kept_digest_is_of_one_of_two_kinds_and_survives_its_hexadecimal_form() {
        let [Some(of_knox), Some(_)] = KeptDigest::of_another_system("b0ba") else { panic!("two of knox's") };
        let ours = KeptDigest::Sha256(key_from(3).digest());
        for digest in [of_knox.clone(), ours] {
            assert_eq!(KeptDigest::from_hex(&format!("{digest:x}")), Some(digest));
        }
        assert_eq!(format!("{of_knox:x}").len(), 128);
        for wrong in ["", "00", "zz", &"0".repeat(63), &"0".repeat(129)] {
            assert_eq!(KeptDigest::from_hex(wrong), None, "{wrong}");
        }
        assert_eq!(KeptDigest::of_another_system(key_from(3).reveal()), [None, None]);
        assert!(matches!(KeptDigest::of_another_system("xyz"), [Some(_), None]));
    }

    #[test]
    fn secrets_do_not_print_themselves() {
        let key = key_from(7);
        assert_eq!(format!("{key:?} {:?}", key.digest()), "TokenKey(***) TokenDigest(***)");
    }

    #[test]
    fn a_list_shows_both_ends_of_a_key() {
        let key = TokenKey::imported("f4e75eab6e0f663a972d145478d6fc4b81762070".into());
        assert_eq!((key.prefix().as_str(), key.last_four().as_str()), ("f4e7", "2070"));
        assert!(key_from(1).prefix().starts_with("wrd_"));
        assert_eq!(key_from(1).prefix().len(), 8);
    }

    #[test]
    fn finding_low_at_most_a_third_of_a_foreign_key_is_listed() {
        let shown = |key: &str| {
            let key = TokenKey::imported(key.into());
            key.prefix() + &key.last_four()
        };
        for length in 1..=64 {
            let key = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-+"[..length].to_owned();
            let count = shown(&key).len();
            assert!(count * 3 <= length && (length >= 16 || count * 8 <= length), "{length}: {count}");
        }
        assert_eq!(shown("wrd_1234"), "w", "it begins like one of ours, and is none");
    }
}
