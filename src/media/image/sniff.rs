//! Which kind of file the first bytes are, and whether a file is more than one thing.

use super::input::contains;
use super::kinds::{ForeignKind, SourceKind};
use super::refusal::PictureRefusal;

/// How far readers of PDF look for its header.
const PDF_HEADER_WITHIN: usize = 1024;
/// How far behind the end of the picture a document with scripts is looked for. Browsers look less far.
const SCRIPT_WITHIN: usize = 4096;
/// How far from the end of a file the last record of a ZIP archive begins: its comment has at most 64 KiB.
const ZIP_END_WITHIN: usize = 22 + 65_535;

/// The kind that an upload is by its first bytes.
pub(super) fn kind_of(bytes: &[u8]) -> Result<SourceKind, PictureRefusal> {
    if bytes.is_empty() {
        return Err(PictureRefusal::Empty);
    }
    match bytes {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(SourceKind::Png),
        [0xff, 0xd8, 0xff, ..] => Ok(SourceKind::Jpeg),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(SourceKind::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Ok(SourceKind::WebP),
        _ => Err(foreign(bytes).map_or(PictureRefusal::NotAnImage, PictureRefusal::KindNotAllowed)),
    }
}

fn foreign(bytes: &[u8]) -> Option<ForeignKind> {
    match bytes {
        [_, _, _, _, b'f', b't', b'y', b'p', brand @ ..] => Some(iso_media(brand)),
        [b'I', b'I', 42, 0, ..] | [b'M', b'M', 0, 42, ..] | [b'I', b'I', 43, 0, ..] => {
            Some(ForeignKind::Tiff)
        }
        [b'B', b'M', _, _, _, _, 0, 0, 0, 0, ..] => Some(ForeignKind::Bmp),
        [0, 0, 1 | 2, 0, count, 0, ..] if *count > 0 => Some(ForeignKind::Ico),
        [0xff, 0x0a, ..] | [0, 0, 0, 12, b'J', b'X', b'L', b' ', ..] => Some(ForeignKind::JpegXl),
        [0xff, 0x4f, 0xff, 0x51, ..] | [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] => {
            Some(ForeignKind::Jpeg2000)
        }
        [b'8', b'B', b'P', b'S', ..] => Some(ForeignKind::Psd),
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Some(ForeignKind::Video),
        _ => foreign_text(bytes),
    }
}

/// The brand of a file in the ISO base media format.
fn iso_media(brand: &[u8]) -> ForeignKind {
    match brand {
        [b'a', b'v', b'i', b'f' | b's', ..] => ForeignKind::Avif,
        [b'h', b'e', b'i' | b'v', _, ..] | [b'm', b'i' | b's', b'f', b'1', ..] => ForeignKind::Heic,
        _ => ForeignKind::Video,
    }
}

fn foreign_text(bytes: &[u8]) -> Option<ForeignKind> {
    let head = bytes.get(..PDF_HEADER_WITHIN).unwrap_or(bytes);
    if contains(head, b"%PDF-") {
        return Some(ForeignKind::Pdf);
    }
    // In UTF-16, every other byte is zero.
    let text: Vec<u8> = head.iter().copied().filter(|byte| *byte != 0).collect();
    let first = text.iter().find(|byte| !byte.is_ascii_whitespace() && byte.is_ascii());
    (first == Some(&b'<') && contains(&text, b"<svg")).then_some(ForeignKind::Svg)
}

/// Refuses a picture that other programs would read as something else. `end` is where the picture ends.
///
/// Other bytes after the end are no reason to refuse: cameras and phones append previews and short videos. They are removed.
pub(super) fn refuse_polyglot(kind: SourceKind, bytes: &[u8], end: usize) -> Result<(), PictureRefusal> {
    let head = bytes.get(..PDF_HEADER_WITHIN).unwrap_or(bytes);
    let trailer = bytes.get(end..).unwrap_or_default();
    let after = trailer.get(..SCRIPT_WITHIN).unwrap_or(trailer);
    let last = trailer.get(trailer.len().saturating_sub(ZIP_END_WITHIN)..).unwrap_or(trailer);
    let scripts: [&[u8]; 4] = [b"<script", b"<?php", b"<html", b"<svg"];
    let also = if contains(head, b"%PDF-") {
        "a PDF document"
    } else if contains(last, b"PK\x05\x06") {
        "a ZIP archive"
    } else if scripts.iter().any(|script| contains(after, script)) {
        "a document with scripts"
    } else {
        return Ok(());
    };
    Err(PictureRefusal::Polyglot { kind, also })
}
