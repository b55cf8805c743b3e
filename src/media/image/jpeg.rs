//! The segments of a JPEG file (ITU-T T.81, and T.872 for the marker of Adobe).
//!
//! Tables, frame and scans reach the decoder; of the application data only Adobe's marker, which says what the channels are.

mod scans;

use super::input::FileInput;
use super::kinds::SourceKind;
use super::limits::PictureLimits;
use super::refusal::PictureRefusal;
use super::walked::{MAX_PROFILE, Walked, check_size};
use scans::JpegFrame;

const EXIF: &[u8] = b"Exif\0\0";
const ICC: &[u8] = b"ICC_PROFILE\0";
const ADOBE: &[u8] = b"Adobe";

pub(super) fn damaged(reason: &'static str) -> PictureRefusal {
    PictureRefusal::Damaged { kind: SourceKind::Jpeg, reason }
}

fn unsupported(variant: &'static str) -> PictureRefusal {
    PictureRefusal::Unsupported { kind: SourceKind::Jpeg, variant }
}

fn truncated() -> PictureRefusal {
    PictureRefusal::Truncated(SourceKind::Jpeg)
}

/// Walks through a JPEG file.
pub(super) fn walk(bytes: &[u8], limits: &PictureLimits) -> Result<Walked, PictureRefusal> {
    let mut walk =
        JpegWalk { input: FileInput::new(bytes), limits, walked: Walked::default(), frame: None, scans: 0 };
    walk.walked.clean.extend(walk.input.take(2).unwrap_or_default());
    while walk.segment()? {}
    let Some(frame) = walk.frame.filter(|_| walk.scans > 0) else {
        return Err(damaged("it has no picture data"));
    };
    let mut walked = walk.walked;
    walked.clean.extend([0xff, 0xd9]);
    walked.end = walk.input.position();
    walked.memory = frame.memory();
    walked.work += frame.work;
    Ok(walked)
}

struct JpegWalk<'a> {
    input: FileInput<'a>,
    limits: &'a PictureLimits,
    walked: Walked,
    frame: Option<JpegFrame>,
    scans: u32,
}

impl JpegWalk<'_> {
    /// Reads one segment; false at the end of the picture.
    fn segment(&mut self) -> Result<bool, PictureRefusal> {
        let marker = self.marker()?;
        match marker {
            0xd9 => return Ok(false),
            0x01 | 0xd0..=0xd7 => return Ok(true),
            0x00 | 0xd8 => return Err(damaged("it has a marker where none can be")),
            _ => {}
        }
        let start = self.input.position();
        let length = self.input.u16_be().ok_or_else(truncated)?;
        let Some(length) = usize::from(length).checked_sub(2) else {
            return Err(damaged("a segment is shorter than its length"));
        };
        let data = self.input.take(length).ok_or_else(truncated)?;
        if self.is_kept(marker, data)? {
            self.walked.clean.extend([0xff, marker]);
            self.walked.clean.extend(self.input.since(start));
        }
        if marker == 0xda {
            self.copy_scan(data)?;
        }
        Ok(true)
    }

    fn marker(&mut self) -> Result<u8, PictureRefusal> {
        if self.input.u8().ok_or_else(truncated)? != 0xff {
            return Err(damaged("there is no marker where one must be"));
        }
        loop {
            match self.input.u8().ok_or_else(truncated)? {
                0xff => {}
                marker => return Ok(marker),
            }
        }
    }

    /// Reads a segment; whether the decoder needs it.
    fn is_kept(&mut self, marker: u8, data: &[u8]) -> Result<bool, PictureRefusal> {
        match marker {
            0xc0..=0xc2 => self.read_frame(marker, data).map(|()| true),
            0xc4 => {
                self.walked.work = self.walked.work.saturating_add(scans::work_of_tables(data.len()));
                Ok(true)
            }
            0xdb | 0xda | 0xdd => Ok(true),
            0xc3 => Err(unsupported("lossless coding")),
            0xc5..=0xc7 => Err(unsupported("hierarchical coding")),
            0xc9..=0xcf => Err(unsupported("arithmetic coding")),
            0xe1 => {
                self.read_exif(data);
                Ok(false)
            }
            0xe2 => {
                self.read_profile(data);
                Ok(false)
            }
            0xee => Ok(data.starts_with(ADOBE)),
            _ => Ok(false),
        }
    }

    fn read_frame(&mut self, marker: u8, data: &[u8]) -> Result<(), PictureRefusal> {
        if self.frame.is_some() {
            return Err(damaged("it has two pictures"));
        }
        let frame = JpegFrame::read(marker, data).ok_or_else(|| damaged("its header is too short"))?;
        check_size(frame.width, frame.height, self.limits)?;
        if frame.precision != 8 {
            return Err(unsupported("samples of more than 8 bits"));
        }
        if !frame.is_sound() {
            return Err(damaged("its header has channels that cannot be"));
        }
        (self.walked.width, self.walked.height) = (frame.width, frame.height);
        self.frame = Some(frame);
        Ok(())
    }

    fn read_exif(&mut self, data: &[u8]) {
        if let Some(exif) = data.strip_prefix(EXIF).filter(|_| self.walked.exif.is_none()) {
            self.walked.exif = Some(exif.to_vec());
        }
    }

    /// Joins the parts of a profile. They have a number and a count, and are in order in every file that programs write.
    fn read_profile(&mut self, data: &[u8]) {
        let Some([_, _, part @ ..]) = data.strip_prefix(ICC) else { return };
        let profile = self.walked.profile.get_or_insert_default();
        if profile.len() <= MAX_PROFILE {
            profile.extend(part);
        }
    }

    /// Copies the coded data that follows a scan's header, up to the next marker.
    fn copy_scan(&mut self, header: &[u8]) -> Result<(), PictureRefusal> {
        let Some(frame) = &mut self.frame else { return Err(damaged("a scan comes before the header")) };
        frame.add_scan(header).ok_or_else(|| damaged("a scan has channels that cannot be"))?;
        self.scans += 1;
        if self.walked.work.saturating_add(frame.work) > nanoseconds(self.limits) {
            return Err(PictureRefusal::TooMuchWork { limit: self.limits.cpu_time });
        }
        let rest = self.input.rest();
        let is_marker =
            |pair: &[u8]| matches!(pair, [0xff, code] if !matches!(code, 0x00 | 0xd0..=0xd7 | 0xff));
        let length = rest.windows(2).position(is_marker).ok_or_else(truncated)?;
        frame.add_data(length);
        self.walked.clean.extend(self.input.take(length).unwrap_or_default());
        Ok(())
    }
}

fn nanoseconds(limits: &PictureLimits) -> u64 {
    u64::try_from(limits.cpu_time.as_nanos()).unwrap_or(u64::MAX)
}
