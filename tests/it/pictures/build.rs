//! Building blocks of the corpus: the containers of the formats, written by hand.

use std::path::Path;

use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};

/// A picture of tests/pictures/seeds.
pub fn seed(name: &str) -> Vec<u8> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures/seeds");
    std::fs::read(seeds.join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A part of PNG: length, name, data, checksum.
pub fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(data.len()).unwrap().to_be_bytes().to_vec();
    chunk.extend(name);
    chunk.extend(data);
    let sum = crc32fast::hash(&chunk[4..]);
    chunk.extend(sum.to_be_bytes());
    chunk
}

/// A PNG file of these chunks after its header.
pub fn png(width: u32, height: u32, depth: u8, color: u8, chunks: &[Vec<u8>]) -> Vec<u8> {
    let mut header = width.to_be_bytes().to_vec();
    header.extend(height.to_be_bytes());
    header.extend([depth, color, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    png.extend(chunk(b"IHDR", &header));
    png.extend(chunks.concat());
    png
}

/// A valid PNG of one color.
pub fn flat_png(width: u32, height: u32, color: ExtendedColorType) -> Vec<u8> {
    let bytes = width as usize * height as usize * usize::from(color.bits_per_pixel()) / 8;
    let mut png = Vec::new();
    PngEncoder::new_with_quality(&mut png, CompressionType::Default, FilterType::NoFilter)
        .write_image(&vec![0x7f; bytes], width, height, color)
        .unwrap();
    png
}

/// A valid JPEG of one color.
pub fn flat_jpeg(width: u32, height: u32) -> Vec<u8> {
    let mut jpeg = Vec::new();
    let pixels = vec![0x7f; width as usize * height as usize * 3];
    image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 30)
        .write_image(&pixels, width, height, ExtendedColorType::Rgb8)
        .unwrap();
    jpeg
}

/// The chunks of a PNG file after its header, whole.
pub fn chunks_of(png: &[u8]) -> Vec<(&[u8], &[u8])> {
    let (mut rest, mut chunks) = (&png[8..], Vec::new());
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize + 12;
        chunks.push((&rest[4..8], &rest[..length]));
        rest = &rest[length..];
    }
    chunks
}

/// A file with chunks after its header.
pub fn with_chunks(png: &[u8], added: &[Vec<u8>]) -> Vec<u8> {
    [&png[..33], &added.concat(), &png[33..]].concat()
}

/// 24 MiB of zeros, compressed with zlib to a few KiB.
pub fn deflate_bomb() -> Vec<u8> {
    let png = flat_png(4096, 6144, ExtendedColorType::L8);
    chunks_of(&png)
        .iter()
        .filter(|(name, _)| *name == b"IDAT")
        .flat_map(|(_, whole)| whole[8..whole.len() - 4].to_vec())
        .collect()
}

/// The segments of a JPEG file up to its first scan, and the scans with their data: marker and bytes.
pub fn segments(jpeg: &[u8]) -> Vec<(u8, Vec<u8>)> {
    let (mut at, mut segments) = (2, Vec::new());
    while jpeg[at + 1] != 0xd9 {
        let start = at;
        at += 2 + usize::from(u16::from_be_bytes([jpeg[at + 2], jpeg[at + 3]]));
        if jpeg[start + 1] == 0xda {
            while jpeg[at] != 0xff || matches!(jpeg[at + 1], 0 | 0xd0..=0xd7) {
                at += 1;
            }
        }
        segments.push((jpeg[start + 1], jpeg[start..at].to_vec()));
    }
    segments
}

/// A JPEG file of segments.
pub fn jpeg(segments: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut jpeg = vec![0xff, 0xd8];
    jpeg.extend(segments.iter().flat_map(|(_, segment)| segment.clone()));
    jpeg.extend([0xff, 0xd9]);
    jpeg
}

/// A segment of JPEG.
pub fn segment(marker: u8, data: &[u8]) -> (u8, Vec<u8>) {
    let mut segment = vec![0xff, marker];
    segment.extend(u16::try_from(data.len() + 2).unwrap().to_be_bytes());
    segment.extend(data);
    (marker, segment)
}

/// The same file with changes to its frame's header: marker, and bytes from the precision on.
pub fn with_frame(jpeg_file: &[u8], marker: Option<u8>, changes: &[(usize, u8)]) -> Vec<u8> {
    let mut all = segments(jpeg_file);
    let (_, frame) = all.iter_mut().find(|(marker, _)| (0xc0..=0xc2).contains(marker)).unwrap();
    frame[1] = marker.unwrap_or(frame[1]);
    for (place, byte) in changes {
        frame[4 + place] = *byte;
    }
    jpeg(&all)
}

/// The changes of a frame's header that give it another size.
pub fn frame_size(width: u16, height: u16) -> [(usize, u8); 4] {
    let ([a, b], [c, d]) = (height.to_be_bytes(), width.to_be_bytes());
    [(1, a), (2, b), (3, c), (4, d)]
}

/// A RIFF container of chunks.
pub fn webp(chunks: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    let mut content = b"WEBP".to_vec();
    for (name, data) in chunks {
        content.extend(*name);
        content.extend(u32::try_from(data.len()).unwrap().to_le_bytes());
        content.extend(data);
        content.extend(vec![0; data.len() % 2]);
    }
    let mut file = b"RIFF".to_vec();
    file.extend(u32::try_from(content.len()).unwrap().to_le_bytes());
    file.extend(content);
    file
}

/// The data of the first chunk of this name.
pub fn webp_chunk(file: &[u8], name: &[u8; 4]) -> Vec<u8> {
    let at = file.windows(4).position(|window| window == name).unwrap();
    let length = u32::from_le_bytes(file[at + 4..at + 8].try_into().unwrap()) as usize;
    file[at + 8..at + 8 + length].to_vec()
}

/// Bits, the lowest first.
#[derive(Default)]
struct BitWriter {
    bytes: Vec<u8>,
    used: usize,
}

impl BitWriter {
    fn write(&mut self, value: u32, count: u32) {
        for place in 0..count {
            if self.used.is_multiple_of(8) {
                self.bytes.push(0);
            }
            *self.bytes.last_mut().unwrap() |= u8::try_from(value >> place & 1).unwrap() << (self.used % 8);
            self.used += 1;
        }
    }

    /// A prefix code of one symbol, which takes no bits in the data.
    fn single(&mut self, symbol: u32) {
        self.write(0b101, 3);
        self.write(symbol, 8);
    }

    /// A code of eleven symbols, up to ten bits long: 108 bits, from which a decoder makes a table of 4 KiB.
    fn wide(&mut self) {
        self.write(0, 1);
        self.write(15, 4);
        // Six lengths have a code of three bits and four have one of four.
        for symbol in [17, 18, 0, 1, 2, 3, 4, 5, 16, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
            let length = match symbol {
                1..=6 => 3,
                7..=10 => 4,
                _ => 0,
            };
            self.write(length, 3);
        }
        self.write(1, 1);
        self.write(1, 3);
        self.write(9, 4);
        let reversed = |code: u32, count: u32| code.reverse_bits() >> (32 - count);
        for length in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 10] {
            match length {
                1..=6 => self.write(reversed(length - 1, 3), 3),
                _ => self.write(reversed(12 + length - 7, 4), 4),
            }
        }
    }
}

/// A lossless WebP picture of 64 x 64 pixels with 65,536 groups of prefix codes: 4.4 MB that become 1.3 GB.
pub fn groups_bomb() -> Vec<u8> {
    let mut bits = BitWriter::default();
    bits.write(0x2f, 8);
    bits.write(63 | 63 << 14, 32);
    // No transform, no color cache, groups for squares of four pixels, whose numbers are all 65,535.
    bits.write(0b1_0_0, 3);
    bits.write(0, 3);
    bits.write(0, 1);
    for symbol in [255, 255, 0, 0, 0] {
        bits.single(symbol);
    }
    for _ in 0..65_536 * 5 {
        bits.wide();
    }
    // Something to read for the pixels.
    bits.bytes.extend([0; 4096]);
    webp(&[(b"VP8L", bits.bytes)])
}
