//! From a walked file to pixels: `image` decodes, with limits in addition to the checks before.

use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits};

use super::color;
use super::kinds::SourceKind;
use super::limits::PictureLimits;
use super::meter::{Meter, Metered};
use super::raster::Raster;
use super::refusal::PictureRefusal;
use super::walked::Walked;

/// Decodes to 8 bits a channel. Returns the color profile, too.
pub(super) fn decode(
    kind: SourceKind,
    walked: &Walked,
    limits: &PictureLimits,
    meter: &Meter,
) -> Result<(Raster, Option<color::Profile>), PictureRefusal> {
    let decoded = read(kind, walked, limits, meter);
    // A decoder may report the error of the reader in words of its own.
    meter.check()?;
    let (decoded, stored) = decoded.map_err(|error| refusal(kind, &error, limits))?;
    let profile = walked.profile.as_deref().or(stored.as_deref()).and_then(color::Profile::read);
    let raster =
        Raster::of(decoded).ok_or(PictureRefusal::Unsupported { kind, variant: "its kind of pixels" })?;
    if (raster.width(), raster.height()) != (walked.width, walked.height) {
        return Err(PictureRefusal::Damaged { kind, reason: "its headers contradict each other" });
    }
    Ok((raster, profile))
}

fn read(
    kind: SourceKind,
    walked: &Walked,
    limits: &PictureLimits,
    meter: &Meter,
) -> Result<(DynamicImage, Option<Vec<u8>>), ImageError> {
    let format = match kind {
        SourceKind::Png => ImageFormat::Png,
        SourceKind::Jpeg => ImageFormat::Jpeg,
        SourceKind::Gif => ImageFormat::Gif,
        SourceKind::WebP => ImageFormat::WebP,
    };
    let mut bounds = Limits::default();
    bounds.max_image_width = Some(limits.max_side);
    bounds.max_image_height = Some(limits.max_side);
    bounds.max_alloc = Some(limits.decoder_memory);
    let mut reader = ImageReader::with_format(Metered::new(&walked.clean, meter), format);
    reader.limits(bounds);
    let mut decoder = reader.into_decoder()?;
    // In the other formats, the profile was found before.
    let profile = if kind == SourceKind::Png { decoder.icc_profile()? } else { None };
    DynamicImage::from_decoder(decoder).map(|decoded| (decoded, profile))
}

fn refusal(kind: SourceKind, error: &ImageError, limits: &PictureLimits) -> PictureRefusal {
    match error {
        ImageError::Limits(_) => {
            let limit = limits.decoder_memory;
            PictureRefusal::TooMuchMemory { needed: limit.saturating_add(1), limit }
        }
        ImageError::Unsupported(_) => {
            PictureRefusal::Unsupported { kind, variant: "a feature that few programs use" }
        }
        _ => PictureRefusal::Damaged { kind, reason: "its picture data cannot be decoded" },
    }
}
