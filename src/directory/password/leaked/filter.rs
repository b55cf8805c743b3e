//! The format of the filter. Each password of a list is hashed to a place among the numbers below `entries << bits`. The
//! places are stored in rising order, as differences in Rice coding. A password that is not on the list hits one of them
//! with probability `2^-bits`. An entry takes `bits + 1.6` bits, and the same list always gives the same bytes.
//!
//! In the file, numbers are 32-bit and little-endian: the magic bytes, `entries`, `bits`, the number of blocks; for each
//! block and for the end, the bit offset of its differences; then the differences, highest bit first. A block contains the
//! places that agree above their lowest `bits + 9` bits, about 512. Its first difference is relative to its start.
//!
//! `examples/leaked-passwords.rs` compiles this file too.

use sha2::{Digest, Sha256};

pub(super) const MARK: [u8; 8] = *b"leaked 1";
/// The logarithm of the number of entries in a block.
pub(super) const BLOCK: u32 = 9;

/// A filter that reports whether a password is on its list.
#[derive(Clone, Copy)]
pub(super) struct Filter<'a> {
    /// The number of passwords on the list.
    pub(super) entries: u32,
    /// Of `1 << bits` passwords that are not on the list, one matches.
    pub(super) bits: u32,
    starts: &'a [u8],
    differences: &'a [u8],
}

impl<'a> Filter<'a> {
    /// Parses a file; `None` if it is not a filter.
    pub(super) fn read(file: &'a [u8]) -> Option<Self> {
        let (entries, rest) = number(file.strip_prefix(&MARK)?)?;
        let (bits, rest) = number(rest)?;
        let (blocks, rest) = number(rest)?;
        let starts = usize::try_from(blocks).ok()?.checked_add(1)?.checked_mul(4)?;
        let (starts, differences) = rest.split_at_checked(starts)?;
        (1..=24).contains(&bits).then_some(Self { entries, bits, starts, differences })
    }

    /// Reports whether a password is on the list, or matches by chance.
    pub(super) fn contains(&self, password: &str) -> bool {
        self.find(place(fingerprint(password), self.entries, self.bits)).unwrap_or(false)
    }

    fn find(&self, wanted: u64) -> Option<bool> {
        let block = wanted >> (self.bits + BLOCK);
        let place = usize::try_from(block).ok()?;
        let (mut at, end) = (self.start(place)?, self.start(place + 1)?);
        let mut found = block << (self.bits + BLOCK);
        while at < end {
            found += self.difference(&mut at)?;
            if found >= wanted {
                return Some(found == wanted);
            }
        }
        Some(false)
    }

    fn start(&self, block: usize) -> Option<usize> {
        let (start, _) = number(self.starts.get(block.checked_mul(4)?..)?)?;
        usize::try_from(start).ok()
    }

    /// Decodes a difference: its quotient by `1 << bits` as ones, a zero, and the remainder.
    fn difference(&self, at: &mut usize) -> Option<u64> {
        let mut difference = 0;
        while self.bit(at)? == 1 {
            difference += 1;
        }
        for _ in 0..self.bits {
            difference = difference << 1 | self.bit(at)?;
        }
        Some(difference)
    }

    fn bit(&self, at: &mut usize) -> Option<u64> {
        let byte = self.differences.get(*at / 8)?;
        let bit = byte >> (7 - *at % 8) & 1;
        *at += 1;
        Some(bit.into())
    }
}

fn number(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (number, rest) = bytes.split_first_chunk()?;
    Some((u32::from_le_bytes(*number), rest))
}

/// Returns the first 64 bits of the SHA-256 of a password in lower case.
pub(super) fn fingerprint(password: &str) -> u64 {
    let hash = Sha256::digest(password.to_lowercase());
    hash.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// Returns the place of a fingerprint among the numbers below `entries << bits`.
pub(super) fn place(fingerprint: u64, entries: u32, bits: u32) -> u64 {
    let places = u128::from(entries) << bits;
    // Below `places`, so it fits.
    u64::try_from((u128::from(fingerprint) * places) >> 64).unwrap_or(u64::MAX)
}
