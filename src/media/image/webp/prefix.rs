//! The bits of a lossless WebP picture, and its prefix codes (RFC 9649, section 3.7.2).

/// The longest code, in bits.
const LONGEST: usize = 15;
/// In which order the lengths of the code for lengths are stored.
const ORDER: [usize; 19] = [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
/// The bits that the decoder looks up at once.
const TABLE_BITS: usize = 10;

/// A stream of bits; the first one is the lowest of the first byte.
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn bit(&mut self) -> Option<usize> {
        let byte = *self.bytes.get(self.at / 8)?;
        let bit = usize::from(byte >> (self.at % 8) & 1);
        self.at += 1;
        Some(bit)
    }

    /// The next bits as a number, of which the first one is the lowest.
    pub(super) fn read(&mut self, count: u32) -> Option<usize> {
        let mut value = 0;
        for place in 0..count {
            value |= self.bit()? << place;
        }
        Some(value)
    }
}

/// A prefix code: how many codes there are of each length, and the symbols in the order of their codes.
pub(super) struct PrefixCode {
    counts: [usize; LONGEST + 1],
    symbols: Vec<u16>,
}

impl PrefixCode {
    /// Reads a code whose symbols are below `size`.
    pub(super) fn read(bits: &mut BitReader<'_>, size: usize) -> Option<Self> {
        if bits.read(1)? == 1 {
            let has_two = bits.read(1)? == 1;
            let width = if bits.read(1)? == 1 { 8 } else { 1 };
            let mut symbols = vec![u16::try_from(bits.read(width)?).ok()?];
            if has_two {
                symbols.push(u16::try_from(bits.read(8)?).ok()?);
            }
            let mut counts = [0; LONGEST + 1];
            *counts.get_mut(1)? = symbols.len();
            return Some(Self { counts, symbols });
        }
        let mut lengths = [0_u8; ORDER.len()];
        let count = 4 + bits.read(4)?;
        for place in ORDER.get(..count)? {
            *lengths.get_mut(*place)? = u8::try_from(bits.read(3)?).ok()?;
        }
        let of_lengths = Self::of(&lengths)?;
        Self::of(&read_lengths(bits, &of_lengths, size)?)
    }

    /// The canonical code with these lengths; 0 is a symbol that does not occur.
    fn of(lengths: &[u8]) -> Option<Self> {
        let mut counts = [0; LONGEST + 1];
        let mut used: Vec<(u8, u16)> = Vec::new();
        for (length, symbol) in lengths.iter().zip(0..).filter(|(length, _)| **length > 0) {
            *counts.get_mut(usize::from(*length))? += 1;
            used.push((*length, symbol));
        }
        used.sort_unstable();
        let symbols: Vec<u16> = used.into_iter().map(|(_, symbol)| symbol).collect();
        (!symbols.is_empty()).then_some(Self { counts, symbols })
    }

    /// Reads a symbol. A code of one symbol takes no bits.
    pub(super) fn symbol(&self, bits: &mut BitReader<'_>) -> Option<usize> {
        if let [only] = self.symbols.as_slice() {
            return Some(usize::from(*only));
        }
        let (mut code, mut first, mut index) = (0, 0, 0);
        for count in self.counts.iter().skip(1) {
            code |= bits.bit()?;
            if code < first + count {
                return self.symbols.get(index + code - first).copied().map(usize::from);
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }

    /// The bytes that the decoder's tables for this code take.
    pub(super) fn memory(&self) -> u64 {
        const OWN: usize = 96;
        let longest = self.counts.iter().rposition(|count| *count > 0).unwrap_or(0);
        let beyond: usize = self.counts.iter().skip(TABLE_BITS + 1).sum();
        let tables = if self.symbols.len() < 2 { 0 } else { (4 << longest.min(TABLE_BITS)) + 32 * beyond };
        (OWN + tables) as u64
    }
}

fn read_lengths(bits: &mut BitReader<'_>, code: &PrefixCode, size: usize) -> Option<Vec<u8>> {
    let mut left = size;
    if bits.read(1)? == 1 {
        let width = 2 + 2 * u32::try_from(bits.read(3)?).ok()?;
        left = 2 + bits.read(width)?;
    }
    let (mut lengths, mut last) = (Vec::with_capacity(size), 8);
    while lengths.len() < size && left > 0 {
        left -= 1;
        let (length, times) = match code.symbol(bits)? {
            16 => (last, 3 + bits.read(2)?),
            17 => (0, 3 + bits.read(3)?),
            18 => (0, 11 + bits.read(7)?),
            length => (u8::try_from(length).ok()?, 1),
        };
        if length > 0 {
            last = length;
        }
        lengths.extend(std::iter::repeat_n(length, times));
    }
    (lengths.len() <= size).then_some(lengths)
}
