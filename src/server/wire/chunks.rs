//! Follows the framing of a chunked body (RFC 9112, section 7.1) as its bytes pass, to know how long a chunk is before it
//! has arrived.
//!
//! It refuses nothing: the parser checks the framing, and the service decides how much it reads.

/// The place in a chunked body.
#[derive(Debug, Default)]
pub(super) struct ChunkScan {
    place: Place,
    /// The size of the current chunk, as far as it has been read.
    size: u64,
    announced: u64,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Size,
    /// Behind the digits of a size, in its line.
    RestOfSize,
    /// In the data of a chunk, with this many bytes to come.
    Data(u64),
    /// Behind the data, before the end of its line.
    EndOfData,
    /// Behind the last chunk.
    Trailers,
}

impl ChunkScan {
    /// The length of all chunks so far, including the one that has only begun.
    pub(super) fn announced(&self) -> u64 {
        self.announced
    }

    /// Reads the next bytes of the body.
    pub(super) fn scan(&mut self, mut bytes: &[u8]) {
        while let Some((byte, rest)) = bytes.split_first() {
            bytes = rest;
            self.place = match (self.place, byte) {
                (Place::Size | Place::RestOfSize, b'\n') => self.begin_chunk(),
                (Place::Size, byte) => match char::from(*byte).to_digit(16) {
                    Some(digit) => {
                        self.size = self.size.saturating_mul(16).saturating_add(digit.into());
                        Place::Size
                    }
                    None => Place::RestOfSize,
                },
                (Place::Data(left), _) => {
                    // The first byte is taken already.
                    let more = usize::try_from(left.saturating_sub(1)).unwrap_or(usize::MAX).min(rest.len());
                    bytes = rest.get(more..).unwrap_or_default();
                    match left.saturating_sub(1).saturating_sub(more as u64) {
                        0 => Place::EndOfData,
                        left => Place::Data(left),
                    }
                }
                (Place::EndOfData, b'\n') => Place::Size,
                (Place::Trailers, _) => return,
                (place, _) => place,
            };
        }
    }

    fn begin_chunk(&mut self) -> Place {
        let size = std::mem::take(&mut self.size);
        self.announced = self.announced.saturating_add(size);
        if size == 0 { Place::Trailers } else { Place::Data(size) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_counts_as_soon_as_its_size_is_known() {
        let body = b"3\r\nabc\r\n00A;name=\"9\"\r\n0\r\n4567\r\n1\r\n1 \r\nx\r\n0\r\nTrailer: 5\r\n\r\n";
        let after = |end: usize| {
            let mut scan = ChunkScan::default();
            scan.scan(&body[..end]);
            scan.announced()
        };
        for (end, announced) in
            [(0, 0), (2, 0), (3, 3), (8, 3), (21, 3), (22, 13), (37, 13), (38, 14), (body.len(), 14)]
        {
            assert_eq!(after(end), announced, "{:?}", String::from_utf8_lossy(&body[..end]));
        }
        // However it is split.
        for piece in 1..body.len() {
            let mut scan = ChunkScan::default();
            let mut announced = Vec::new();
            for bytes in body.chunks(piece) {
                scan.scan(bytes);
                announced.push(scan.announced());
            }
            let whole: Vec<_> =
                (1..=announced.len()).map(|count| after((count * piece).min(body.len()))).collect();
            assert_eq!(announced, whole, "in pieces of {piece}");
        }
    }

    #[test]
    fn a_size_beyond_all_numbers_is_the_greatest() {
        let mut scan = ChunkScan::default();
        scan.scan(b"fffffffffffffffffffff\r\n");
        assert_eq!(scan.announced(), u64::MAX);
    }
}
