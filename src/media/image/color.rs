//! Color profiles: those of RGB screens and cameras are converted to sRGB.
//!
//! A profile that describes colors by a matrix and curves (Display P3, Adobe RGB) is converted. One with tables, and one for
//! gray or CMYK, is dropped: the numbers are then taken as sRGB.

use moxcms::{ColorProfile, Layout, TransformOptions};

use super::raster::Raster;
use super::walked::MAX_PROFILE;

/// A profile that can be converted.
pub(super) struct Profile(ColorProfile);

impl Profile {
    /// Reads a profile; `None` if it is not valid or of a kind that is dropped.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        if bytes.len() > MAX_PROFILE {
            return None;
        }
        let profile = ColorProfile::new_from_slice(bytes).ok()?;
        let has_tables = profile.lut_a_to_b_perceptual.is_some() || profile.lut_a_to_b_colorimetric.is_some();
        (profile.is_matrix_shaper() && !has_tables).then_some(Self(profile))
    }

    /// Converts pixels to sRGB. Where that is not possible they stay as they are.
    pub(super) fn convert(&self, raster: &mut Raster) {
        let layout = match raster.channels() {
            3 => Layout::Rgb,
            4 => Layout::Rgba,
            _ => return,
        };
        let options = TransformOptions::default();
        let Ok(transform) = self.0.create_transform_8bit(layout, &ColorProfile::new_srgb(), layout, options)
        else {
            return;
        };
        let mut converted = vec![0; raster.samples().len()];
        if transform.transform(raster.samples(), &mut converted).is_ok() {
            raster.replace(converted);
        }
    }
}
