//! What the frame and the scans of a JPEG file cost to decode.
//!
//! A progressive file may have any number of scans, and each makes the decoder go through the whole picture, even if it
//! has no data. The decoder cannot be stopped in between, so the cost is estimated before it begins.

use crate::media::image::input::FileInput;

/// Going through one block of 64 samples in one scan, in nanoseconds. A scan that refines looks at all of them.
const PER_BLOCK: u64 = 100;
/// Reading a byte of coded data, in nanoseconds.
const PER_BYTE: u64 = 40;
/// Building the tables of one Huffman code, in nanoseconds.
const PER_TABLE: u64 = 5_000;
/// The least length of a Huffman code in its segment, in bytes.
const TABLE: usize = 17;
/// Turning a block into pixels, in nanoseconds.
const PER_DECODED_BLOCK: u64 = 250;

/// An estimate of the time that a segment of Huffman codes takes.
pub(super) fn work_of_tables(length: usize) -> u64 {
    (length / TABLE + 1) as u64 * PER_TABLE
}

struct Channel {
    id: u8,
    across: u32,
    down: u32,
}

/// The header of a JPEG picture.
pub(super) struct JpegFrame {
    pub(super) width: u32,
    pub(super) height: u32,
    /// The bits of a sample.
    pub(super) precision: u8,
    /// Whether all coefficients are in memory until the last scan has been read.
    keeps_all: bool,
    channels: Vec<Channel>,
    /// The estimate for all scans so far, in nanoseconds.
    pub(super) work: u64,
}

impl JpegFrame {
    /// Reads a header.
    pub(super) fn read(marker: u8, data: &[u8]) -> Option<Self> {
        let mut input = FileInput::new(data);
        let precision = input.u8()?;
        let (height, width) = (input.u16_be()?.into(), input.u16_be()?.into());
        let count = input.u8()?;
        let mut channels = Vec::new();
        for _ in 0..count {
            let (id, sampling, _table) = (input.u8()?, input.u8()?, input.u8()?);
            channels.push(Channel { id, across: u32::from(sampling >> 4), down: u32::from(sampling & 15) });
        }
        let keeps_all = marker == 0xc2;
        let mut frame = Self { width, height, precision, keeps_all, channels, work: 0 };
        if frame.is_sound() {
            frame.work = frame.channels.iter().map(|channel| frame.blocks(channel) * PER_DECODED_BLOCK).sum();
        }
        Some(frame)
    }

    /// Whether there are one to four channels, each sampled one to four times across and down.
    pub(super) fn is_sound(&self) -> bool {
        let is_factor = |factor: u32| (1..=4).contains(&factor);
        (1..=4).contains(&self.channels.len())
            && self.channels.iter().all(|channel| is_factor(channel.across) && is_factor(channel.down))
    }

    fn largest(&self, factor: impl Fn(&Channel) -> u32) -> u32 {
        self.channels.iter().map(factor).max().unwrap_or(1)
    }

    /// The number of blocks of a channel, with those that fill up the last column and row.
    fn blocks(&self, channel: &Channel) -> u64 {
        let units = |length: u32, most: u32| u64::from(length.div_ceil(8 * most.max(1)));
        units(self.width, self.largest(|channel| channel.across))
            * units(self.height, self.largest(|channel| channel.down))
            * u64::from(channel.across * channel.down)
    }

    /// Counts a scan. `None` if its header names channels that are not there.
    pub(super) fn add_scan(&mut self, header: &[u8]) -> Option<()> {
        let mut input = FileInput::new(header);
        let count = input.u8()?;
        let mut blocks = 0;
        for _ in 0..count {
            let (id, _tables) = (input.u8()?, input.u8()?);
            let channel = self.channels.iter().find(|channel| channel.id == id)?;
            blocks += self.blocks(channel);
        }
        self.keeps_all |= usize::from(count) < self.channels.len();
        self.work = self.work.saturating_add(blocks * PER_BLOCK);
        (count > 0).then_some(())
    }

    /// Counts the coded data of a scan.
    pub(super) fn add_data(&mut self, bytes: usize) {
        self.work = self.work.saturating_add(bytes as u64 * PER_BYTE);
    }

    /// The memory for decoding: the pixels, some rows, and two bytes for each coefficient that is kept.
    pub(super) fn memory(&self) -> u64 {
        let samples: u64 = self.channels.iter().map(|channel| self.blocks(channel) * 64).sum();
        let channels = if self.channels.len() == 1 { 1 } else { 3 };
        let rows = u64::from(self.width) * 4 * 64 * 2;
        let kept = if self.keeps_all { samples * 2 } else { 0 };
        u64::from(self.width) * u64::from(self.height) * channels + rows + kept
    }
}
