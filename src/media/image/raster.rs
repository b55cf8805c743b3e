//! Pixels in memory: scaling, cropping, transparency.

use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{FilterType, ImageError, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer};

/// Pixels of 8 bits a channel: gray, gray and alpha, RGB, or RGB and alpha.
#[derive(Clone)]
pub(super) struct Raster {
    width: u32,
    height: u32,
    channels: u8,
    samples: Vec<u8>,
}

/// A part of a raster.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) left: u32,
    pub(super) top: u32,
    pub(super) width: u32,
    pub(super) height: u32,
}

impl Raster {
    /// Takes what a decoder made. `None` for pixels that no decoder of ours makes.
    pub(super) fn of(decoded: DynamicImage) -> Option<Self> {
        let (width, height) = (decoded.width(), decoded.height());
        let decoded = match decoded {
            DynamicImage::ImageLuma16(_) => decoded.into_luma8().into(),
            DynamicImage::ImageLumaA16(_) => decoded.into_luma_alpha8().into(),
            DynamicImage::ImageRgb16(_) => decoded.into_rgb8().into(),
            DynamicImage::ImageRgba16(_) => decoded.into_rgba8().into(),
            other => other,
        };
        let channels = match &decoded {
            DynamicImage::ImageLuma8(_) => 1,
            DynamicImage::ImageLumaA8(_) => 2,
            DynamicImage::ImageRgb8(_) => 3,
            DynamicImage::ImageRgba8(_) => 4,
            _ => return None,
        };
        Some(Self { width, height, channels, samples: decoded.into_bytes() })
    }

    pub(super) fn width(&self) -> u32 {
        self.width
    }

    pub(super) fn height(&self) -> u32 {
        self.height
    }

    pub(super) fn channels(&self) -> u8 {
        self.channels
    }

    pub(super) fn samples(&self) -> &[u8] {
        &self.samples
    }

    /// Replaces all samples by as many others.
    pub(super) fn replace(&mut self, samples: Vec<u8>) {
        if samples.len() == self.samples.len() {
            self.samples = samples;
        }
    }

    /// The whole area.
    pub(super) fn all(&self) -> Area {
        Area { left: 0, top: 0, width: self.width, height: self.height }
    }

    /// The largest square in the middle.
    pub(super) fn middle(&self) -> Area {
        let side = self.width.min(self.height);
        Area { left: (self.width - side) / 2, top: (self.height - side) / 2, width: side, height: side }
    }

    fn has_alpha(&self) -> bool {
        self.channels.is_multiple_of(2)
    }

    /// Whether no pixel is transparent.
    pub(super) fn is_opaque(&self) -> bool {
        !self.has_alpha() || self.pixels().all(|pixel| pixel.last() == Some(&u8::MAX))
    }

    fn pixels(&self) -> std::slice::ChunksExact<'_, u8> {
        self.samples.chunks_exact(usize::from(self.channels))
    }

    /// Removes the alpha channel.
    pub(super) fn without_alpha(self) -> Self {
        if !self.has_alpha() {
            return self;
        }
        let colors = self.pixels().flat_map(|pixel| pixel.split_last().map_or(pixel, |(_, colors)| colors));
        let samples = colors.copied().collect();
        Self { samples, channels: self.channels - 1, ..self }
    }

    fn pixel_type(&self) -> PixelType {
        match self.channels {
            1 => PixelType::U8,
            2 => PixelType::U8x2,
            3 => PixelType::U8x3,
            _ => PixelType::U8x4,
        }
    }

    /// Multiplies the colors by alpha, so that colors of transparent pixels have no part in scaled ones.
    pub(super) fn multiply(&mut self) {
        self.with_alpha(|alpha, image| alpha.multiply_alpha_inplace(image));
    }

    /// Divides the colors by alpha again.
    pub(super) fn divide(&mut self) {
        self.with_alpha(|alpha, image| alpha.divide_alpha_inplace(image));
    }

    fn with_alpha(&mut self, change: impl FnOnce(MulDiv, &mut Image<'_>) -> Result<(), ImageError>) {
        let (width, height, pixel_type) = (self.width, self.height, self.pixel_type());
        if !self.has_alpha() {
            return;
        }
        if let Ok(mut image) = Image::from_slice_u8(width, height, &mut self.samples, pixel_type) {
            // The kinds of pixels with alpha are all supported.
            let _ = change(MulDiv::new(), &mut image);
        }
    }

    /// An area, scaled to a size. `None` if the area is not inside.
    pub(super) fn scaled(&self, area: Area, width: u32, height: u32) -> Option<Self> {
        if (area.width, area.height) == (width, height) {
            return self.cut(area);
        }
        let source = ImageRef::new(self.width, self.height, &self.samples, self.pixel_type()).ok()?;
        let mut scaled = Image::new(width, height, self.pixel_type());
        let options = ResizeOptions::new()
            .resize_alg(ResizeAlg::Convolution(FilterType::CatmullRom))
            .crop(area.left.into(), area.top.into(), area.width.into(), area.height.into())
            .use_alpha(false);
        Resizer::new().resize(&source, &mut scaled, &options).ok()?;
        Some(Self { width, height, channels: self.channels, samples: scaled.into_vec() })
    }

    fn cut(&self, area: Area) -> Option<Self> {
        let pixel = usize::from(self.channels);
        let (left, length) = (area.left as usize * pixel, area.width as usize * pixel);
        let rows = self.samples.chunks_exact(self.width as usize * pixel);
        let mut samples = Vec::with_capacity(length * area.height as usize);
        for row in rows.skip(area.top as usize).take(area.height as usize) {
            samples.extend(row.get(left..left + length)?);
        }
        Some(Self { width: area.width, height: area.height, channels: self.channels, samples })
    }

    /// Turns and mirrors the pixels.
    pub(super) fn oriented(self, orientation: Orientation) -> Option<Self> {
        if orientation == Orientation::NoTransforms {
            return Some(self);
        }
        let (width, height, samples) = (self.width, self.height, self.samples);
        let mut picture: DynamicImage = match self.channels {
            1 => DynamicImage::ImageLuma8(ImageBuffer::from_raw(width, height, samples)?),
            2 => DynamicImage::ImageLumaA8(ImageBuffer::from_raw(width, height, samples)?),
            3 => DynamicImage::ImageRgb8(ImageBuffer::from_raw(width, height, samples)?),
            _ => DynamicImage::ImageRgba8(ImageBuffer::from_raw(width, height, samples)?),
        };
        picture.apply_orientation(orientation);
        Self::of(picture)
    }
}
