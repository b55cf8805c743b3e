//! The whole path of one picture: checked, decoded, scaled, encoded.

use image::metadata::Orientation;

use super::kinds::{PictureKind, SourceKind};
use super::limits::PictureLimits;
use super::meter::Meter;
use super::raster::Raster;
use super::refusal::PictureRefusal;
use super::walked::Walked;
use super::{color, decode, encode, gif, jpeg, png, sniff, webp};

/// The side lengths of the squares that are made of each picture, in pixels.
pub const SQUARES: [u16; 4] = [64, 128, 256, 512];
/// The longest side of the full picture, in pixels.
pub const FULL_SIDE: u32 = 1024;

/// A picture that is safe to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// How `full` and all `squares` are encoded: JPEG if the picture is opaque, PNG if not.
    pub kind: PictureKind,
    /// What was uploaded, for the audit trail.
    pub source: SourceKind,
    /// The whole picture. Its longest side has at most [`FULL_SIDE`] pixels; it is never larger than the upload.
    pub full: Vec<u8>,
    /// The center of the picture, once for each of [`SQUARES`], in that order. A square is never enlarged: if the picture's
    /// shorter side has fewer pixels, that is the length of the square's sides.
    pub squares: Vec<(u16, Vec<u8>)>,
}

/// Checks, decodes and encodes an upload. It takes up to `limits.cpu_time` of this thread.
pub fn make_safe(bytes: &[u8], limits: &PictureLimits) -> Result<Picture, PictureRefusal> {
    Checked::check(bytes, limits)?.make_safe(limits)
}

/// An upload whose structure was checked, and of which nothing was decoded yet.
pub(super) struct Checked {
    kind: SourceKind,
    walked: Walked,
    meter: Meter,
}

impl Checked {
    pub(super) fn check(bytes: &[u8], limits: &PictureLimits) -> Result<Self, PictureRefusal> {
        if bytes.len() > limits.max_bytes {
            return Err(PictureRefusal::TooManyBytes { bytes: bytes.len(), limit: limits.max_bytes });
        }
        let meter = Meter::start(limits.cpu_time);
        let kind = sniff::kind_of(bytes)?;
        let walked = match kind {
            SourceKind::Png => png::walk(bytes, limits),
            SourceKind::Jpeg => jpeg::walk(bytes, limits),
            SourceKind::Gif => gif::walk(bytes, limits),
            SourceKind::WebP => webp::walk(bytes, limits, &meter),
        }?;
        sniff::refuse_polyglot(kind, bytes, walked.end)?;
        let checked = Self { kind, walked, meter };
        let (needed, limit) = (checked.memory(), limits.decoder_memory);
        if needed > limit {
            return Err(PictureRefusal::TooMuchMemory { needed, limit });
        }
        Ok(checked)
    }

    /// The most memory that the rest of the work takes at once, in bytes.
    pub(super) fn memory(&self) -> u64 {
        let walked = &self.walked;
        // A decoder may copy the file. Scaling goes by columns first.
        let files = walked.clean.len() as u64 * 2;
        let scaling = u64::from(walked.width.min(FULL_SIDE)) * u64::from(walked.height) * 4;
        walked.memory.saturating_add(files).saturating_add(scaling)
    }

    pub(super) fn make_safe(self, limits: &PictureLimits) -> Result<Picture, PictureRefusal> {
        let (pixels, profile) = decode::decode(self.kind, &self.walked, limits, &self.meter)?;
        let orientation = self.walked.exif.as_deref().and_then(Orientation::from_exif_chunk);
        let finish = Finish { profile, orientation: orientation.unwrap_or(Orientation::NoTransforms) };
        drop(self.walked);
        let made = finish.picture(self.kind, pixels, &self.meter)?;
        self.meter.check()?;
        Ok(made)
    }
}

/// What is done to each size of a picture after scaling.
struct Finish {
    profile: Option<color::Profile>,
    orientation: Orientation,
}

impl Finish {
    fn picture(
        &self,
        source: SourceKind,
        mut pixels: Raster,
        meter: &Meter,
    ) -> Result<Picture, PictureRefusal> {
        let broken = || PictureRefusal::Damaged { kind: source, reason: "its pixels cannot be scaled" };
        pixels.multiply();
        let (width, height) = full_size(pixels.width(), pixels.height());
        let full = pixels.scaled(pixels.all(), width, height).ok_or_else(broken)?;
        let middle = pixels.middle();
        let side = middle.width.min(SQUARES.iter().copied().max().unwrap_or(1).into());
        let largest = pixels.scaled(middle, side, side).ok_or_else(broken)?;
        drop(pixels);
        meter.check()?;
        let full = self.finished(full).ok_or_else(broken)?;
        let kind = if full.is_opaque() { PictureKind::Jpeg } else { PictureKind::Png };
        let encoded = |raster: Raster| {
            meter.check()?;
            let raster = if kind == PictureKind::Jpeg { raster.without_alpha() } else { raster };
            encode::encode(&raster, kind)
                .map_err(|_| PictureRefusal::Damaged { kind: source, reason: "its pixels cannot be encoded" })
        };
        let mut squares = Vec::with_capacity(SQUARES.len());
        for size in SQUARES {
            let side = side.min(size.into());
            let square = largest.scaled(largest.all(), side, side).ok_or_else(broken)?;
            squares.push((size, encoded(self.finished(square).ok_or_else(broken)?)?));
        }
        Ok(Picture { kind, source, full: encoded(full)?, squares })
    }

    fn finished(&self, mut raster: Raster) -> Option<Raster> {
        raster.divide();
        if let Some(profile) = &self.profile {
            profile.convert(&mut raster);
        }
        raster.oriented(self.orientation)
    }
}

/// The size of the full picture: the same aspect, at most [`FULL_SIDE`] long, at least one pixel.
fn full_size(width: u32, height: u32) -> (u32, u32) {
    let longest = width.max(height);
    if longest <= FULL_SIDE {
        return (width, height);
    }
    let scaled = |side: u32| {
        let side = (u64::from(side) * u64::from(FULL_SIDE) + u64::from(longest / 2)) / u64::from(longest);
        u32::try_from(side).unwrap_or(FULL_SIDE).max(1)
    };
    (scaled(width), scaled(height))
}
