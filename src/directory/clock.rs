//! The only source of time, randomness and new ids. Everything else gets a [`Clock`], so that a test can set any time.
//! Clippy forbids other sources.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::error::Error;
use super::model::{LinkKey, Timestamp, TokenKey};

/// Returns the time, and generates what must be unpredictable.
#[derive(Clone, Debug)]
pub struct Clock {
    /// A fixed time, in microseconds, for tests; `None` is the system's time.
    fixed: Option<Arc<AtomicI64>>,
    requests: Arc<RequestIds>,
}

/// The generator of request ids. They are unique and cheap, not secret: a random number per process, and a counter.
#[derive(Debug)]
struct RequestIds {
    process: u32,
    next: AtomicU64,
}

impl Clock {
    /// Returns a clock with the system's time.
    pub fn system() -> Result<Self, Error> {
        let mut seed = [0; 4];
        fill(&mut seed)?;
        let requests = RequestIds { process: u32::from_ne_bytes(seed), next: AtomicU64::new(1) };
        Ok(Self { fixed: None, requests: Arc::new(requests) })
    }

    /// Returns a clock that stays at `at` until [`Clock::set`] changes it.
    pub fn fixed(at: Timestamp) -> Result<Self, Error> {
        Ok(Self { fixed: Some(Arc::new(AtomicI64::new(at.as_micros()))), ..Self::system()? })
    }

    /// Whether the time stands still until it is set, as in a test.
    pub(super) fn is_fixed(&self) -> bool {
        self.fixed.is_some()
    }

    /// Sets a fixed clock. It does nothing to a system clock.
    pub fn set(&self, at: Timestamp) {
        if let Some(fixed) = &self.fixed {
            fixed.store(at.as_micros(), Ordering::SeqCst);
        }
    }

    /// Returns the present time in whole microseconds.
    #[expect(clippy::disallowed_methods, reason = "this is the only place that reads the system's clock")]
    pub fn now(&self) -> Timestamp {
        let micros = match &self.fixed {
            Some(fixed) => fixed.load(Ordering::SeqCst),
            None => jiff::Timestamp::now().as_microsecond(),
        };
        // A system clock outside the years -9999 to 9999 counts as 1970.
        Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH)
    }

    /// Generates a request id: 8 hexadecimal digits for the process, a hyphen, and a serial number.
    pub fn request_id(&self) -> String {
        let mut id = Vec::with_capacity(25);
        self.write_request_id(&mut id);
        id.into_iter().map(char::from).collect()
    }

    /// Generates a request id and appends it to a response.
    pub fn write_request_id(&self, text: &mut Vec<u8>) {
        let number = self.requests.next.fetch_add(1, Ordering::Relaxed);
        // Every request has one. Written by hand, because `format!` takes ten times as long.
        push_hex(text, self.requests.process.into(), 8);
        text.push(b'-');
        push_hex(text, number, 1);
    }

    /// Generates a token key.
    pub fn token_key(&self) -> Result<TokenKey, Error> {
        TokenKey::generate(fill)
    }

    /// Generates the key of a link.
    pub fn link_key(&self) -> Result<LinkKey, Error> {
        Ok(LinkKey::of_random(&Zeroizing::new(self.secret()?)))
    }

    /// Generates a salt for a password: 16 random bytes.
    pub fn salt(&self) -> Result<[u8; 16], Error> {
        let mut salt = [0; 16];
        fill(&mut salt)?;
        Ok(salt)
    }

    /// Generates a key that never leaves the server: 32 random bytes.
    pub fn secret(&self) -> Result<[u8; 32], Error> {
        let mut secret = [0; 32];
        fill(&mut secret)?;
        Ok(secret)
    }

    /// Generates a code of up to nine decimal digits. Each has the same probability.
    pub fn code(&self, digits: u32) -> Result<String, Error> {
        let codes = 10_u32.saturating_pow(digits.min(9)).max(1);
        // Above the largest multiple, the first codes would be more likely.
        let multiple = u32::MAX - u32::MAX % codes;
        loop {
            let mut bytes = [0; 4];
            fill(&mut bytes)?;
            let random = u32::from_ne_bytes(bytes);
            if random < multiple {
                let width = usize::try_from(digits).unwrap_or(0);
                return Ok(format!("{:0width$}", random % codes));
            }
        }
    }

    /// Generates the id of a request for a code: from 1 to 2^52.
    pub fn code_id(&self) -> Result<i64, Error> {
        let mut bytes = [0; 8];
        fill(&mut bytes)?;
        Ok(i64::try_from(u64::from_ne_bytes(bytes) >> 12).unwrap_or(0) + 1)
    }
}

/// Appends a number in hexadecimal, with at least this many digits.
fn push_hex(text: &mut Vec<u8>, number: u64, digits: u32) {
    let needed = (u64::BITS - number.leading_zeros()).div_ceil(4).max(digits);
    for place in (0..needed).rev() {
        let digit = u8::try_from((number >> (place * 4)) & 0xf).unwrap_or_default();
        text.push(if digit < 10 { b'0' + digit } else { b'a' + digit - 10 });
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the only place that reads the system's randomness")]
fn fill(buffer: &mut [u8]) -> Result<(), Error> {
    getrandom::fill(buffer).map_err(|error| Error::broken("the system returned no random bytes", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every digit in every place, the zeros at the beginning included, about as often as any other.
    #[test]
    fn codes_are_uniform_and_keep_their_zeros() {
        let clock = Clock::system().unwrap();
        let mut counts = [[0_u32; 10]; 6];
        for _ in 0..20_000 {
            let code = clock.code(6).unwrap();
            assert_eq!(code.len(), 6);
            for (place, digit) in code.bytes().enumerate() {
                counts[place][usize::from(digit - b'0')] += 1;
            }
        }
        // Expected are 2,000 with a deviation of 42; ten deviations are out of reach.
        assert!(counts.iter().flatten().all(|count| (1_580..2_420).contains(count)), "{counts:?}");
        for digits in 1..=9 {
            assert_eq!(clock.code(digits).unwrap().len(), digits as usize);
        }
        let ids: std::collections::BTreeSet<_> = (0..1_000).map(|_| clock.code_id().unwrap()).collect();
        assert!(ids.len() == 1_000 && ids.iter().all(|id| (1..=1 << 52).contains(id)));
    }

    #[test]
    fn hexadecimal_numbers_are_as_format_writes_them() {
        for number in [0, 1, 9, 15, 16, 255, 4096, u64::from(u32::MAX), u64::MAX] {
            let mut text = Vec::new();
            push_hex(&mut text, number, 8);
            push_hex(&mut text, number, 1);
            assert_eq!(text, format!("{number:08x}{number:x}").into_bytes());
        }
    }
}
