//! What decoding a lossless WebP picture takes (RFC 9649, section 3).
//!
//! A picture may have 65,536 groups of five prefix codes. A hostile one states them in a few bytes each, and the decoder
//! makes a table of some KiB from each: 5 MB become more than 1 GB. The decoder has no limit, so the codes are read here
//! first, up to the pixels themselves, and their tables are added up.

use super::prefix::{BitReader, PrefixCode};
use crate::media::image::kinds::SourceKind;
use crate::media::image::limits::PictureLimits;
use crate::media::image::meter::Meter;
use crate::media::image::refusal::PictureRefusal;

/// The signature of a lossless picture.
const SIGNATURE: u8 = 0x2f;
/// The symbols of green and of lengths, to which those of the color cache are added.
const GREEN: usize = 256 + 24;
/// The symbols of the other codes of a group: red, blue, alpha, distance.
const OTHERS: [usize; 4] = [256, 256, 256, 40];
/// How many pixels are read between two looks at the clock.
const PIXELS_BETWEEN: usize = 4096;

fn damaged(reason: &'static str) -> PictureRefusal {
    PictureRefusal::Damaged { kind: SourceKind::WebP, reason }
}

/// The dimensions in the header.
pub(super) fn size(data: &[u8]) -> Option<(u32, u32)> {
    let [SIGNATURE, header @ ..] = data else { return None };
    let header = u32::from_le_bytes(header.get(..4)?.try_into().ok()?);
    (header >> 29 == 0).then_some(((header & 0x3fff) + 1, (header >> 14 & 0x3fff) + 1))
}

/// The memory for what is decoded in addition to the pixels, in bytes.
pub(super) fn memory(data: &[u8], limits: &PictureLimits, meter: &Meter) -> Result<u64, PictureRefusal> {
    let (width, height) = size(data).ok_or_else(|| damaged("the header of its picture is not valid"))?;
    of_stream(data.get(5..).unwrap_or_default(), (width, height), limits, meter)
}

/// The same for a transparency chunk. Its first byte says whether it is compressed in this way.
pub(super) fn memory_of_alpha(
    data: &[u8],
    dimensions: (u32, u32),
    limits: &PictureLimits,
    meter: &Meter,
) -> Result<u64, PictureRefusal> {
    match data {
        [flags, stream @ ..] if flags & 3 == 1 => of_stream(stream, dimensions, limits, meter),
        _ => Ok(0),
    }
}

fn of_stream(
    stream: &[u8],
    (width, height): (u32, u32),
    limits: &PictureLimits,
    meter: &Meter,
) -> Result<u64, PictureRefusal> {
    let mut picture = Stream { bits: BitReader::new(stream), memory: 0, limit: limits.decoder_memory, meter };
    let known = picture.main(width as usize, height as usize);
    meter.check()?;
    match known {
        Some(()) => Ok(picture.memory),
        None if picture.memory > picture.limit => {
            Err(PictureRefusal::TooMuchMemory { needed: picture.memory, limit: picture.limit })
        }
        None => Err(damaged("its picture data cannot be decoded")),
    }
}

struct Stream<'a> {
    bits: BitReader<'a>,
    memory: u64,
    limit: u64,
    meter: &'a Meter,
}

impl Stream<'_> {
    /// `None` where there is no more memory or time.
    fn add(&mut self, bytes: u64) -> Option<()> {
        self.memory = self.memory.saturating_add(bytes);
        (self.memory <= self.limit && self.meter.check().is_ok()).then_some(())
    }

    /// Reads the main picture up to its pixels.
    fn main(&mut self, mut width: usize, height: usize) -> Option<()> {
        for _ in 0..5 {
            if self.bits.read(1)? == 0 {
                break;
            }
            match self.bits.read(2)? {
                0 | 1 => _ = self.part(width, height)?,
                2 => {}
                _ => {
                    let colors = self.bits.read(8)? + 1;
                    self.image(colors, 1)?;
                    let packed = match colors {
                        0..=2 => 8,
                        3..=4 => 4,
                        5..=16 => 2,
                        _ => 1,
                    };
                    width = width.div_ceil(packed);
                }
            }
        }
        let cache = self.color_cache()?;
        let groups = if self.bits.read(1)? == 1 { self.part(width, height)? + 1 } else { 1 };
        for _ in 0..groups {
            self.group(cache)?;
        }
        Some(())
    }

    /// Reads a picture that has one pixel for a square of the main one. Returns the largest number in it.
    fn part(&mut self, width: usize, height: usize) -> Option<usize> {
        let side = 1 << (self.bits.read(3)? + 2);
        self.image(width.div_ceil(side), height.div_ceil(side))
    }

    /// The number of colors in the cache.
    fn color_cache(&mut self) -> Option<usize> {
        if self.bits.read(1)? == 0 {
            return Some(0);
        }
        let bits = self.bits.read(4)?;
        (1..=11).contains(&bits).then(|| 1 << bits)
    }

    fn group(&mut self, cache: usize) -> Option<[PrefixCode; 5]> {
        let green = PrefixCode::read(&mut self.bits, GREEN + cache)?;
        let mut memory = green.memory();
        let mut others = Vec::with_capacity(OTHERS.len());
        for size in OTHERS {
            let code = PrefixCode::read(&mut self.bits, size)?;
            memory += code.memory();
            others.push(code);
        }
        self.add(memory)?;
        let [red, blue, alpha, distance] = others.try_into().ok()?;
        Some([green, red, blue, alpha, distance])
    }

    /// Reads a whole picture of codes. Returns the largest number that red and green of a pixel are together.
    ///
    /// References and the color cache repeat earlier pixels, so only pixels that are written out count.
    fn image(&mut self, width: usize, height: usize) -> Option<usize> {
        let cache = self.color_cache()?;
        let [green, red, blue, alpha, distance] = self.group(cache)?;
        let pixels = width * height;
        self.add(pixels as u64 * 8)?;
        let (mut done, mut next_check, mut largest) = (0, 0, 0);
        while done < pixels {
            if done >= next_check {
                next_check = done + PIXELS_BETWEEN;
                self.meter.check().ok()?;
            }
            let symbol = green.symbol(&mut self.bits)?;
            if symbol < 256 {
                let high = red.symbol(&mut self.bits)?;
                blue.symbol(&mut self.bits)?;
                alpha.symbol(&mut self.bits)?;
                largest = largest.max(high << 8 | symbol);
                done += 1;
            } else if symbol < GREEN {
                done += self.value(symbol - 256)?;
                let far = distance.symbol(&mut self.bits)?;
                self.value(far)?;
            } else {
                done += 1;
            }
        }
        Some(largest)
    }

    /// A length or distance: a symbol, and the bits that follow it.
    fn value(&mut self, symbol: usize) -> Option<usize> {
        if symbol < 4 {
            return Some(symbol + 1);
        }
        let extra = u32::try_from((symbol - 2) / 2).ok()?;
        Some(((2 + symbol % 2) << extra) + self.bits.read(extra)? + 1)
    }
}
