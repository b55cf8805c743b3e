//! The chunks of a PNG file (PNG, third edition).
//!
//! Only the chunks that hold pixels reach the decoder, so no compressed text or profile can expand in it.

use super::input::FileInput;
use super::kinds::SourceKind;
use super::limits::PictureLimits;
use super::refusal::PictureRefusal;
use super::walked::{Walked, check_size};

/// The largest compressed color profile that is read. Zlib expands at most about a thousandfold.
const MAX_COMPRESSED_PROFILE: usize = 8 * 1024;
/// What expanding such a profile takes, in bytes.
const PROFILE_MEMORY: u64 = 9 * 1024 * 1024;

fn damaged(reason: &'static str) -> PictureRefusal {
    PictureRefusal::Damaged { kind: SourceKind::Png, reason }
}

struct Chunk<'a> {
    name: [u8; 4],
    data: &'a [u8],
    /// With length, name and checksum.
    whole: &'a [u8],
}

fn chunk<'a>(input: &mut FileInput<'a>) -> Option<Chunk<'a>> {
    let start = input.position();
    let length = usize::try_from(input.u32_be()?).ok()?;
    let name = input.take(4)?.try_into().ok()?;
    let data = input.take(length)?;
    input.take(4)?;
    Some(Chunk { name, data, whole: input.since(start) })
}

/// Walks through a PNG file.
pub(super) fn walk(bytes: &[u8], limits: &PictureLimits) -> Result<Walked, PictureRefusal> {
    let mut input = FileInput::new(bytes);
    let mut walked = Walked::default();
    walked.clean.extend(input.take(8).unwrap_or_default());
    let truncated = || PictureRefusal::Truncated(SourceKind::Png);
    let header = chunk(&mut input).ok_or_else(truncated)?;
    let (channels, depth) = read_header(&header, &mut walked, limits)?;
    walked.clean.extend(header.whole);
    let (mut has_transparency, mut has_data) = (false, false);
    loop {
        let chunk = chunk(&mut input).ok_or_else(truncated)?;
        match &chunk.name {
            b"PLTE" | b"IDAT" => walked.clean.extend(chunk.whole),
            b"tRNS" => {
                has_transparency = true;
                walked.clean.extend(chunk.whole);
            }
            b"IEND" => {
                walked.clean.extend(chunk.whole);
                break;
            }
            b"iCCP" if !has_data && walked.memory == 0 && chunk.data.len() <= MAX_COMPRESSED_PROFILE => {
                walked.memory = PROFILE_MEMORY;
                walked.clean.extend(chunk.whole);
            }
            b"eXIf" => walked.exif = Some(chunk.data.to_vec()),
            b"IHDR" => return Err(damaged("it has two headers")),
            [first, ..] if first.is_ascii_uppercase() => {
                return Err(PictureRefusal::Unsupported {
                    kind: SourceKind::Png,
                    variant: "an unknown critical chunk",
                });
            }
            _ => {}
        }
        has_data |= &chunk.name == b"IDAT";
    }
    if !has_data {
        return Err(damaged("it has no picture data"));
    }
    // A sample of 16 bits is halved after decoding, which needs both at once.
    let bytes_per_sample = if depth == 16 { 3 } else { 1 };
    walked.memory += walked.pixels() * (channels + u64::from(has_transparency)) * bytes_per_sample;
    walked.end = input.position();
    Ok(walked)
}

/// Reads the header: the number of decoded channels, and the bits of a sample.
fn read_header(
    header: &Chunk<'_>,
    walked: &mut Walked,
    limits: &PictureLimits,
) -> Result<(u64, u8), PictureRefusal> {
    let mut input = FileInput::new(header.data);
    let fields = (input.u32_be(), input.u32_be(), input.u8(), input.u8());
    let (Some(width), Some(height), Some(depth), Some(color)) = fields else {
        return Err(damaged("its header is too short"));
    };
    if &header.name != b"IHDR" {
        return Err(damaged("it does not begin with a header"));
    }
    check_size(width, height, limits)?;
    (walked.width, walked.height) = (width, height);
    let channels = match color {
        0 => 1,
        2 | 3 => 3,
        4 => 2,
        6 => 4,
        _ => return Err(damaged("its color type is not one of PNG's")),
    };
    Ok((channels, depth))
}
