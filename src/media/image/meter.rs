//! The CPU time of one picture.

use std::cell::Cell;
use std::io::{self, BufRead, Cursor, Read, Seek, SeekFrom};
use std::time::Duration;

use super::refusal::PictureRefusal;

/// How many bytes a decoder gets at once, and between two looks at the clock.
const STEP: usize = 16 * 1024;
/// How often a decoder may ask for bytes between two looks at the clock. Some ask for each pixel.
const CALLS: u32 = 4096;

/// Measures the CPU time of this thread, so that a busy machine refuses nothing.
pub(super) struct Meter {
    started: Duration,
    limit: Duration,
    is_over: Cell<bool>,
}

impl Meter {
    pub(super) fn start(limit: Duration) -> Self {
        Self { started: cpu_time(), limit, is_over: Cell::new(false) }
    }

    /// An error if the time is used up.
    pub(super) fn check(&self) -> Result<(), PictureRefusal> {
        if self.is_over.get() || cpu_time().saturating_sub(self.started) > self.limit {
            self.is_over.set(true);
            return Err(PictureRefusal::TooMuchWork { limit: self.limit });
        }
        Ok(())
    }
}

/// The CPU time that this thread has used.
#[cfg(target_os = "linux")]
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let part = |number: i64| u64::try_from(number).unwrap_or(0);
    Duration::from_secs(part(time.tv_sec)) + Duration::from_nanos(part(time.tv_nsec))
}

/// Where there is no such clock, the time that has passed.
#[cfg(not(target_os = "linux"))]
fn cpu_time() -> Duration {
    static START: std::sync::LazyLock<std::time::Instant> = std::sync::LazyLock::new(std::time::Instant::now);
    START.elapsed()
}

/// A file in memory whose reader gets an error when its CPU time is used up.
pub(super) struct Metered<'a> {
    content: Cursor<&'a [u8]>,
    meter: &'a Meter,
    /// The position and the number of calls from which the clock is looked at again.
    next_position: u64,
    calls_left: u32,
}

impl<'a> Metered<'a> {
    pub(super) fn new(content: &'a [u8], meter: &'a Meter) -> Self {
        Self { content: Cursor::new(content), meter, next_position: 0, calls_left: 0 }
    }

    fn check(&mut self) -> io::Result<()> {
        if self.content.position() < self.next_position && self.calls_left > 0 {
            self.calls_left -= 1;
            return Ok(());
        }
        self.next_position = self.content.position() + STEP as u64;
        self.calls_left = CALLS;
        self.meter.check().map_err(io::Error::other)
    }
}

impl Read for Metered<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        let step = out.len().min(STEP);
        self.content.read(out.get_mut(..step).unwrap_or_default())
    }
}

impl BufRead for Metered<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.check()?;
        let rest = self.content.fill_buf()?;
        Ok(rest.get(..STEP).unwrap_or(rest))
    }

    fn consume(&mut self, count: usize) {
        self.content.consume(count);
    }
}

impl Seek for Metered<'_> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.content.seek(to)
    }
}
