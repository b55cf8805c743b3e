//! The metrics of the process itself, with the names that Prometheus recommends for all programs. They are read at each
//! scrape from `/proc/self`, which costs no statement.

use std::fs;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

/// The metrics of this process.
#[derive(Debug)]
pub(super) struct ProcessMetrics {
    /// When the process started, in Unix time.
    pub(super) started_at: Option<i64>,
}

impl Collector for ProcessMetrics {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut gauge = |name: &str, about: &str, value: Option<i64>| {
            let Some(value) = value else { return Ok(()) };
            ConstGauge::new(value).encode(encoder.encode_descriptor(name, about, None, MetricType::Gauge)?)
        };
        let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
        let limits = fs::read_to_string("/proc/self/limits").unwrap_or_default();
        let started_at = self.started_at;
        gauge("process_start_time_seconds", "When the process started, in Unix time", started_at)?;
        gauge("process_resident_memory_bytes", "Memory in use", kibibytes(&status, "VmRSS:"))?;
        gauge("process_virtual_memory_bytes", "Address space in use", kibibytes(&status, "VmSize:"))?;
        gauge("process_threads", "Threads", number(&status, "Threads:"))?;
        gauge("process_open_fds", "Open file descriptors", open_files())?;
        gauge("process_max_fds", "The limit of open file descriptors", number(&limits, "Max open files"))?;
        let about = "Processor time used";
        let used = ConstCounter::new(processor_seconds());
        used.encode(encoder.encode_descriptor("process_cpu_seconds", about, None, MetricType::Counter)?)
    }
}

/// Returns the first number in the line that begins with `name`.
fn number(text: &str, name: &str) -> Option<i64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.split_whitespace().next()?.parse().ok()
}

fn kibibytes(status: &str, name: &str) -> Option<i64> {
    number(status, name)?.checked_mul(1024)
}

/// Counts the open files, without the one that the count itself opens.
fn open_files() -> Option<i64> {
    let count = fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(count).ok()?.checked_sub(1)
}

#[cfg(target_os = "linux")]
fn processor_seconds() -> f64 {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    std::time::Duration::try_from(used).map_or(0.0, |used| used.as_secs_f64())
}

#[cfg(not(target_os = "linux"))]
fn processor_seconds() -> f64 {
    0.0
}
