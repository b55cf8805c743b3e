//! The kinds of files: what may be uploaded, what is recognised and refused, what is stored.

use std::fmt;

/// A kind of picture that may be uploaded. The first bytes decide, not a file name or a content type.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SourceKind {
    /// PNG; of an animated one, the default picture.
    Png,
    /// JPEG: baseline, extended or progressive, 8 bits, Huffman coding.
    Jpeg,
    /// GIF; of an animated one, the first frame.
    Gif,
    /// WebP, lossy or lossless; of an animated one, the first frame.
    WebP,
}

impl fmt::Display for SourceKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Png => "PNG",
            Self::Jpeg => "JPEG",
            Self::Gif => "GIF",
            Self::WebP => "WebP",
        })
    }
}

/// A kind of file that is recognised, so that the refusal can name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ForeignKind {
    /// An SVG document.
    Svg,
    /// HEIC or HEIF, the format of recent phones.
    Heic,
    /// AVIF.
    Avif,
    /// TIFF, and raw formats of cameras that are based on it.
    Tiff,
    /// A Windows bitmap.
    Bmp,
    /// A Windows icon or cursor.
    Ico,
    /// JPEG XL.
    JpegXl,
    /// JPEG 2000.
    Jpeg2000,
    /// A Photoshop document.
    Psd,
    /// A PDF document.
    Pdf,
    /// A video, such as MP4.
    Video,
}

impl fmt::Display for ForeignKind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Svg => "SVG",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Ico => "ICO",
            Self::JpegXl => "JPEG XL",
            Self::Jpeg2000 => "JPEG 2000",
            Self::Psd => "PSD",
            Self::Pdf => "PDF",
            Self::Video => "video",
        })
    }
}

/// How a safe picture is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PictureKind {
    /// JPEG, quality 85.
    Jpeg,
    /// PNG, 8 bits a channel.
    Png,
}

impl PictureKind {
    /// The ending of a file's name, without the dot.
    pub fn extension(self) -> &'static str {
        match self {
            Self::Jpeg => "jpg",
            Self::Png => "png",
        }
    }

    /// The media type.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
        }
    }
}
