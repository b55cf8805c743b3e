//! A mutator with a seed: it changes the seeds of the corpus and feeds them to the whole path.
//!
//! It is no coverage-guided fuzzer, because those need a nightly compiler. It knows what the formats are made of instead:
//! lengths, markers, dimensions. `scripts/fuzz-pictures` runs it for as long as one likes; a few hundred rounds are part of
//! the tests. A file that it finds goes into tests/pictures/found, and is read by the tests from then on.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use wardroom::media::image::{PictureLimits, make_safe};

use super::{build, check_made, cpu_time};

/// A small generator of numbers (splitmix64), so that a run can be repeated.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit.max(1) as u64).unwrap()
    }
}

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pictures").join(name)
}

/// The files of a folder, sorted, so that a seed always means the same.
fn files(name: &str) -> Vec<(String, Vec<u8>)> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(folder(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let named =
        |path: PathBuf| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read(&path).unwrap());
    paths.into_iter().map(named).collect()
}

/// Changes a file in one to eight places.
fn mutate(file: &[u8], other: &[u8], numbers: &mut Numbers) -> Vec<u8> {
    const TELLING: [u8; 12] = [0, 1, 2, 7, 8, 0x7f, 0x80, 0xc0, 0xc4, 0xd9, 0xda, 0xff];
    let mut changed = file.to_vec();
    for _ in 0..=numbers.below(8) {
        let at = numbers.below(changed.len());
        match numbers.below(9) {
            0..=2 => changed[at] = TELLING[numbers.below(TELLING.len())],
            3 => changed[at] ^= 1 << numbers.below(8),
            4 => changed[at] = u8::try_from(numbers.below(256)).unwrap(),
            5 => changed.truncate(at.max(16)),
            6 => drop(changed.splice(at..(at + numbers.below(16)).min(changed.len()), [])),
            7 => {
                let part = changed[at..(at + numbers.below(64)).min(changed.len())].to_vec();
                changed.splice(at..at, part);
            }
            _ => {
                let from = numbers.below(other.len());
                let part = other[from..(from + numbers.below(64)).min(other.len())].to_vec();
                changed.splice(at..at, part);
            }
        }
        if changed.is_empty() {
            return file.to_vec();
        }
    }
    // A checksum that is wrong would hide everything behind it.
    if changed.starts_with(b"\x89PNG\r\n\x1a\n") { with_sums(&changed) } else { changed }
}

/// A PNG file with right checksums, as far as its chunks can be followed.
fn with_sums(png: &[u8]) -> Vec<u8> {
    let (mut fixed, mut rest) = (png[..8].to_vec(), &png[8..]);
    while rest.len() >= 12 {
        let length = u32::from_be_bytes(rest[..4].try_into().unwrap()) as usize;
        if length > rest.len() - 12 {
            break;
        }
        let name: [u8; 4] = rest[4..8].try_into().unwrap();
        fixed.extend(build::chunk(&name, &rest[8..8 + length]));
        rest = &rest[12 + length..];
    }
    fixed.extend(rest);
    fixed
}

/// Feeds a file to the whole path: no panic, no endless work, and only a right picture.
fn feed(name: &str, bytes: &[u8]) {
    let started = cpu_time();
    if let Ok(made) = make_safe(bytes, &PictureLimits::default()) {
        check_made(name, &made);
    }
    let used = cpu_time() - started;
    assert!(used < Duration::from_secs(10), "{name} took {used:?}");
}

fn run(rounds: u64, seed: u64) {
    let seeds: Vec<_> = files("seeds").into_iter().filter(|(_, bytes)| bytes.len() < 20_000).collect();
    for round in 0..rounds {
        let mut numbers = Numbers(seed.wrapping_add(round));
        let [one, other] = [numbers.below(seeds.len()), numbers.below(seeds.len())].map(|at| &seeds[at]);
        let changed = mutate(&one.1, &other.1, &mut numbers);
        // A panic names the round, from which the file can be made again.
        let fed = std::panic::catch_unwind(|| feed(&one.0, &changed));
        if fed.is_err() {
            let found = folder("found").join(format!("{}-{}", seed.wrapping_add(round), one.0));
            fs::write(&found, &changed).unwrap();
            panic!("{} was written; look at what is printed above", found.display());
        }
    }
}

#[test]
fn changed_files_make_no_panic_and_no_wrong_picture() {
    run(400, 1);
}

/// What the mutator once found stays found.
#[test]
fn files_that_were_found_are_still_handled() {
    for (name, bytes) in files("found") {
        feed(&name, &bytes);
    }
}

/// Run by scripts/fuzz-pictures.
#[test]
#[ignore = "it runs for as long as its caller says"]
#[expect(clippy::disallowed_methods, reason = "scripts/fuzz-pictures passes numbers in the environment")]
fn for_long() {
    let number = |name| std::env::var(name).ok().and_then(|text: String| text.parse().ok());
    let rounds = number("WARDROOM_FUZZ_ROUNDS").expect("the number of rounds");
    run(rounds, number("WARDROOM_FUZZ_SEED").unwrap_or(1));
}
