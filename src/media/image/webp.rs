//! The chunks of a WebP file (RFC 9649). Only the first frame reaches the decoder, as a picture that is not animated.

mod prefix;
mod vp8l;

use super::input::FileInput;
use super::kinds::SourceKind;
use super::limits::PictureLimits;
use super::meter::Meter;
use super::refusal::PictureRefusal;
use super::walked::{MAX_PROFILE, Walked, check_size};

const EXIF_PREFIX: &[u8] = b"Exif\0\0";
/// The flag of a file whose picture has transparency.
const ALPHA: u8 = 0x10;

fn damaged(reason: &'static str) -> PictureRefusal {
    PictureRefusal::Damaged { kind: SourceKind::WebP, reason }
}

fn truncated() -> PictureRefusal {
    PictureRefusal::Truncated(SourceKind::WebP)
}

/// The chunks of one frame.
#[derive(Default)]
struct WebpFrame<'a> {
    lossy: Option<&'a [u8]>,
    lossless: Option<&'a [u8]>,
    alpha: Option<&'a [u8]>,
}

/// Walks through a WebP file.
pub(super) fn walk(bytes: &[u8], limits: &PictureLimits, meter: &Meter) -> Result<Walked, PictureRefusal> {
    let mut input = FileInput::new(bytes);
    let mut walked = Walked::default();
    input.take(4).ok_or_else(truncated)?;
    let size = input.u32_le().and_then(|size| usize::try_from(size).ok()).ok_or_else(truncated)?;
    let content = input.take(size).ok_or_else(truncated)?;
    walked.end = input.position();
    let mut content = FileInput::new(content);
    content.take(4);
    let mut frame = WebpFrame::default();
    while !content.is_empty() && frame.lossy.is_none() && frame.lossless.is_none() {
        let (name, data) = chunk(&mut content).ok_or_else(truncated)?;
        read_chunk(name, data, &mut frame, &mut walked, limits)?;
    }
    read_rest(&mut content, &mut walked);
    finish(&frame, &mut walked, limits, meter)?;
    Ok(walked)
}

fn chunk<'a>(input: &mut FileInput<'a>) -> Option<([u8; 4], &'a [u8])> {
    let name = input.take(4)?.try_into().ok()?;
    let length = usize::try_from(input.u32_le()?).ok()?;
    let data = input.take(length)?;
    if length % 2 == 1 && !input.is_empty() {
        input.take(1)?;
    }
    Some((name, data))
}

fn read_chunk<'a>(
    name: [u8; 4],
    data: &'a [u8],
    frame: &mut WebpFrame<'a>,
    walked: &mut Walked,
    limits: &PictureLimits,
) -> Result<(), PictureRefusal> {
    match &name {
        b"VP8 " => frame.lossy = Some(data),
        b"VP8L" => frame.lossless = Some(data),
        b"ALPH" => frame.alpha = Some(data),
        b"VP8X" => {
            let mut input = FileInput::new(data);
            let canvas = (input.take(4), input.u24_le(), input.u24_le());
            let (_, Some(width), Some(height)) = canvas else { return Err(damaged("a chunk is too short")) };
            check_size(width.saturating_add(1), height.saturating_add(1), limits)?;
        }
        b"ANMF" => {
            let mut input = FileInput::new(data);
            input.take(16).ok_or_else(|| damaged("a chunk is too short"))?;
            while let Some((name, data)) = chunk(&mut input) {
                if !matches!(&name, b"VP8 " | b"VP8L" | b"ALPH") {
                    break;
                }
                read_chunk(name, data, frame, walked, limits)?;
            }
            if frame.lossy.is_none() && frame.lossless.is_none() {
                return Err(damaged("its first frame has no picture data"));
            }
        }
        b"ICCP" if data.len() <= MAX_PROFILE => walked.profile = Some(data.to_vec()),
        _ => {}
    }
    Ok(())
}

/// Looks for EXIF data behind the picture.
fn read_rest(content: &mut FileInput<'_>, walked: &mut Walked) {
    while let Some((name, data)) = chunk(content) {
        if &name == b"EXIF" {
            walked.exif = Some(data.strip_prefix(EXIF_PREFIX).unwrap_or(data).to_vec());
        }
    }
}

/// Reads the dimensions of the frame, and writes a file that has only this frame.
fn finish(
    frame: &WebpFrame<'_>,
    walked: &mut Walked,
    limits: &PictureLimits,
    meter: &Meter,
) -> Result<(), PictureRefusal> {
    let (name, data) = match (frame.lossy, frame.lossless) {
        (Some(lossy), _) => (b"VP8 ", lossy),
        (None, Some(lossless)) => (b"VP8L", lossless),
        (None, None) => return Err(damaged("it has no picture data")),
    };
    let size = if name == b"VP8L" { vp8l::size(data) } else { lossy_size(data) };
    (walked.width, walked.height) = size.ok_or_else(|| damaged("the header of its picture is not valid"))?;
    check_size(walked.width, walked.height, limits)?;
    let dimensions = (walked.width, walked.height);
    let mut chunks = Vec::new();
    walked.memory = if name == b"VP8L" {
        walked.pixels() * 7 + vp8l::memory(data, limits, meter)?
    } else if let Some(alpha) = frame.alpha {
        let mut header = vec![ALPHA, 0, 0, 0];
        header.extend([walked.width, walked.height].iter().flat_map(|side| three_bytes(side - 1)));
        append(&mut chunks, b"VP8X", &header);
        append(&mut chunks, b"ALPH", alpha);
        walked.pixels() * 11 + vp8l::memory_of_alpha(alpha, dimensions, limits, meter)?
    } else {
        walked.pixels() * 5
    };
    append(&mut chunks, name, data);
    let length = u32::try_from(chunks.len() + 4).unwrap_or(u32::MAX);
    walked.clean.extend(b"RIFF");
    walked.clean.extend(length.to_le_bytes());
    walked.clean.extend(b"WEBP");
    walked.clean.extend(chunks);
    Ok(())
}

fn three_bytes(number: u32) -> impl Iterator<Item = u8> {
    number.to_le_bytes().into_iter().take(3)
}

fn append(chunks: &mut Vec<u8>, name: &[u8; 4], data: &[u8]) {
    chunks.extend(name);
    chunks.extend(u32::try_from(data.len()).unwrap_or(u32::MAX).to_le_bytes());
    chunks.extend(data);
    if data.len() % 2 == 1 {
        chunks.push(0);
    }
}

/// The dimensions in the header of a lossy frame (RFC 6386, section 9.1).
fn lossy_size(data: &[u8]) -> Option<(u32, u32)> {
    let mut input = FileInput::new(data);
    let is_key_frame = input.u24_le()? & 1 == 0;
    let is_start = input.take(3)? == [0x9d, 0x01, 0x2a];
    let (width, height) = (input.u16_le()?, input.u16_le()?);
    (is_key_frame && is_start).then_some((u32::from(width & 0x3fff), u32::from(height & 0x3fff)))
}
