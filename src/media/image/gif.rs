//! The blocks of a GIF file (GIF 89a). Only the first frame reaches the decoder.

use super::input::FileInput;
use super::kinds::SourceKind;
use super::limits::PictureLimits;
use super::refusal::PictureRefusal;
use super::walked::{Walked, check_size};

const EXTENSION: u8 = 0x21;
const GRAPHIC_CONTROL: u8 = 0xf9;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;

/// Walks through a GIF file.
pub(super) fn walk(bytes: &[u8], limits: &PictureLimits) -> Result<Walked, PictureRefusal> {
    let mut input = FileInput::new(bytes);
    let mut walked = Walked::default();
    let truncated = || PictureRefusal::Truncated(SourceKind::Gif);
    read_screen(&mut input, &mut walked, limits).ok_or_else(truncated)??;
    walked.clean.extend(input.since(0));
    loop {
        let start = input.position();
        match input.u8().ok_or_else(truncated)? {
            EXTENSION => {
                let label = input.u8().ok_or_else(truncated)?;
                sub_blocks(&mut input).ok_or_else(truncated)?;
                // It says which color is transparent.
                if label == GRAPHIC_CONTROL {
                    walked.clean.extend(input.since(start));
                }
            }
            IMAGE => {
                read_frame(&mut input, &mut walked, limits).ok_or_else(truncated)??;
                walked.clean.extend(input.since(start));
                walked.clean.push(TRAILER);
                break;
            }
            TRAILER => return Err(damaged("it has no picture")),
            _ => return Err(damaged("it has a block of an unknown kind")),
        }
    }
    walked.end = skip_to_end(&mut input).map_or(bytes.len(), |()| input.position());
    Ok(walked)
}

fn damaged(reason: &'static str) -> PictureRefusal {
    PictureRefusal::Damaged { kind: SourceKind::Gif, reason }
}

/// The bytes of a color table by the flags of its owner.
fn color_table(flags: u8) -> usize {
    if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) }
}

fn sub_blocks(input: &mut FileInput<'_>) -> Option<()> {
    loop {
        match input.u8()? {
            0 => return Some(()),
            length => _ = input.take(usize::from(length))?,
        }
    }
}

fn read_screen(
    input: &mut FileInput<'_>,
    walked: &mut Walked,
    limits: &PictureLimits,
) -> Option<Result<(), PictureRefusal>> {
    input.take(6)?;
    (walked.width, walked.height) = (input.u16_le()?.into(), input.u16_le()?.into());
    if let Err(refusal) = check_size(walked.width, walked.height, limits) {
        return Some(Err(refusal));
    }
    walked.memory = walked.pixels() * 4;
    let flags = input.u8()?;
    input.take(2 + color_table(flags))?;
    Some(Ok(()))
}

/// Reads the first frame. It may be smaller than the screen, and some files have one that is larger.
fn read_frame(
    input: &mut FileInput<'_>,
    walked: &mut Walked,
    limits: &PictureLimits,
) -> Option<Result<(), PictureRefusal>> {
    input.take(4)?;
    let (width, height) = (u32::from(input.u16_le()?), u32::from(input.u16_le()?));
    if let Err(refusal) = check_size(width, height, limits) {
        return Some(Err(refusal));
    }
    if (width, height) != (walked.width, walked.height) {
        walked.memory += u64::from(width) * u64::from(height) * 4;
    }
    let flags = input.u8()?;
    input.take(color_table(flags))?;
    input.u8()?;
    sub_blocks(input)?;
    Some(Ok(()))
}

/// Skips the other frames, up to the end of the file's structure.
fn skip_to_end(input: &mut FileInput<'_>) -> Option<()> {
    loop {
        match input.u8()? {
            EXTENSION => input.u8().map(drop)?,
            IMAGE => {
                input.take(8)?;
                let flags = input.u8()?;
                input.take(color_table(flags) + 1)?;
            }
            TRAILER => return Some(()),
            _ => return None,
        }
        sub_blocks(input)?;
    }
}
