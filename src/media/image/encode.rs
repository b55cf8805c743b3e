//! Encoding. Neither encoder writes anything but the picture.

use image::codecs::jpeg::JpegEncoder;
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _, ImageResult};

use super::kinds::PictureKind;
use super::raster::Raster;

const JPEG_QUALITY: u8 = 85;

/// Encodes a picture.
pub(super) fn encode(raster: &Raster, kind: PictureKind) -> ImageResult<Vec<u8>> {
    let mut encoded = Vec::new();
    let color = match raster.channels() {
        1 => ExtendedColorType::L8,
        2 => ExtendedColorType::La8,
        3 => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    };
    let (samples, width, height) = (raster.samples(), raster.width(), raster.height());
    match kind {
        PictureKind::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut encoded, JPEG_QUALITY);
            encoder.write_image(samples, width, height, color)?;
        }
        PictureKind::Png => {
            let encoder =
                PngEncoder::new_with_quality(&mut encoded, CompressionType::Default, FilterType::Adaptive);
            encoder.write_image(samples, width, height, color)?;
        }
    }
    Ok(encoded)
}
