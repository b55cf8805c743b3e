//! 32 uploads at once take at most 200 MiB more than an idle process. Measured in a process of its own.

use std::process::Command;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::join_all;
use image::ExtendedColorType;
use wardroom::media::image::{PictureLimits, Studio, StudioError};

use super::build::{flat_jpeg, flat_png, groups_bomb, seed, with_frame};

const MIB: u64 = 1024 * 1024;
const ALLOWED: u64 = 200 * MIB;

/// A number of /proc/self/status, in bytes.
fn memory(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse::<u64>().unwrap() * 1024
}

/// The files that take the most memory, each as large as an upload may be.
fn files() -> Vec<Arc<Vec<u8>>> {
    let progressive = with_frame(&seed("progressive.jpg"), None, &super::build::frame_size(4500, 4500));
    let largest = [
        flat_png(5000, 5000, ExtendedColorType::Rgba8),
        flat_png(3200, 3200, ExtendedColorType::Rgba16),
        flat_jpeg(8192, 3051),
        progressive,
        groups_bomb(),
        flat_png(1500, 1500, ExtendedColorType::Rgb8),
    ];
    let limit = PictureLimits::default().max_bytes;
    largest
        .into_iter()
        .map(|mut file| {
            file.resize(limit.max(file.len()), 0);
            Arc::new(file)
        })
        .collect()
}

/// Offers files until each was answered. One that finds the queue full is offered again after the others.
async fn answer_all(studio: &Studio, mut files: Vec<Arc<Vec<u8>>>) -> usize {
    let (mut answered, mut refused) = (0, 0);
    while !files.is_empty() {
        // The copy is what a request holds; the queue gets it, or it is dropped at once.
        let offer = |file: Arc<Vec<u8>>| async move {
            let made = studio.make_safe(Bytes::copy_from_slice(&file)).await;
            (file, made)
        };
        let answers = join_all(std::mem::take(&mut files).into_iter().map(offer)).await;
        for (file, made) in answers {
            match made {
                Err(StudioError::Full { .. }) => {
                    refused += 1;
                    files.push(file);
                }
                Err(StudioError::Broken(reason)) => panic!("{reason}"),
                Ok(_) | Err(StudioError::Refused(_)) => answered += 1,
            }
        }
    }
    assert!(refused > 0, "32 files of this size do not fit in the queue");
    answered
}

/// Runs in the process that the test below starts. The peak of a process cannot be reset, so nothing else may run in it.
#[test]
#[ignore = "it measures a whole process"]
fn in_a_process_of_its_own() {
    let files = files();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let studio = Studio::new(PictureLimits::default());
    // Making the files took more memory than reading them may; the peak counts from here.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let idle = memory("VmRSS");
    let all = files.iter().cycle().take(32).cloned().collect();
    assert_eq!(runtime.block_on(answer_all(&studio, all)), 32);
    let more = memory("VmHWM").saturating_sub(idle);
    println!("{} MiB more than idle", more / MIB);
    assert!(more <= ALLOWED, "{} MiB more than idle", more / MIB);
}

#[test]
fn thirty_two_uploads_at_once_take_at_most_200_mib() {
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "pictures::memory::in_a_process_of_its_own", "--ignored", "--nocapture"])
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{shown}\n{}", String::from_utf8_lossy(&child.stderr));
    assert!(shown.contains("1 passed"), "{shown}");
}
