//! Building a filter. Only `examples/leaked-passwords.rs` and the tests compile this file.

use super::filter::{BLOCK, MARK, place};

/// Builds the filter of these fingerprints. It also matches one in `1 << bits` others. `None` if there are too many.
pub(super) fn build(fingerprints: &[u64], bits: u32) -> Option<Vec<u8>> {
    let entries = u32::try_from(fingerprints.len()).ok()?;
    let mut places: Vec<u64> =
        fingerprints.iter().map(|fingerprint| place(*fingerprint, entries, bits)).collect();
    places.sort_unstable();
    let blocks = (u64::from(entries) << bits).div_ceil(1 << (bits + BLOCK));
    let (mut starts, mut differences) = (Vec::new(), Bits::default());
    let mut rest = places.into_iter().peekable();
    for block in 0..blocks {
        starts.push(u32::try_from(differences.length).ok()?);
        let mut before = block << (bits + BLOCK);
        let end = (block + 1) << (bits + BLOCK);
        while let Some(place) = rest.next_if(|place| *place < end) {
            differences.push_difference(place - before, bits);
            before = place;
        }
    }
    starts.push(u32::try_from(differences.length).ok()?);
    let mut file = MARK.to_vec();
    for number in [entries, bits, u32::try_from(blocks).ok()?].iter().chain(&starts) {
        file.extend(number.to_le_bytes());
    }
    file.extend(differences.bytes);
    Some(file)
}

#[derive(Default)]
struct Bits {
    bytes: Vec<u8>,
    length: usize,
}

impl Bits {
    fn push_difference(&mut self, difference: u64, bits: u32) {
        (0..difference >> bits).for_each(|_| self.push(1));
        self.push(0);
        (0..bits).rev().for_each(|bit| self.push(difference >> bit & 1));
    }

    fn push(&mut self, bit: u64) {
        if self.length.is_multiple_of(8) {
            self.bytes.push(0);
        }
        if let (Some(last), 1) = (self.bytes.last_mut(), bit) {
            *last |= 0x80 >> (self.length % 8);
        }
        self.length += 1;
    }
}
