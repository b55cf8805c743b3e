//! Pictures that people upload: hostile ones are refused with a reason, unusual ones are read, and nothing of either but
//! the pixels is in the result.

mod build;
mod corpus;
mod fuzz;
mod memory;

use std::collections::BTreeSet;
use std::time::Duration;

use image::{DynamicImage, Rgb};
use wardroom::media::image::{
    FULL_SIDE, Picture, PictureKind, PictureLimits, PictureRefusal, SQUARES, make_safe,
};

use corpus::{Case, Expected, corpus};

/// The CPU time of this thread.
fn cpu_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.try_into().unwrap(), time.tv_nsec.try_into().unwrap())
}

/// The name of a refusal's variant.
fn variant(refusal: &PictureRefusal) -> String {
    let shown = format!("{refusal:?}");
    shown.split(|letter: char| !letter.is_alphanumeric()).next().unwrap().to_owned()
}

fn decoded(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

/// Which of the four quarters' colors is next to that of a pixel.
fn nearest(pixel: Rgb<u8>) -> usize {
    const QUARTERS: [[i32; 3]; 4] = [[220, 20, 30], [20, 180, 40], [30, 40, 210], [250, 250, 250]];
    let distance = |color: &[i32; 3]| -> i32 {
        color.iter().zip(pixel.0).map(|(one, other)| (one - i32::from(other)).pow(2)).sum()
    };
    (0..4).min_by_key(|at| distance(&QUARTERS[*at])).unwrap()
}

/// The colors in the middle of the four quarters.
fn quarters(picture: &DynamicImage) -> [usize; 4] {
    let (width, height) = (picture.width(), picture.height());
    let pixels = picture.to_rgba8();
    // The seeds are transparent only where they are white otherwise.
    let color = |x, y| match pixels.get_pixel(width * x / 4, height * y / 4).0 {
        [_, _, _, 0] => Rgb([255; 3]),
        [red, green, blue, _] => Rgb([red, green, blue]),
    };
    [(1, 1), (3, 1), (1, 3), (3, 3)].map(|(x, y)| nearest(color(x, y)))
}

/// The parts that a file consists of. Anything behind the end is a part, too.
fn parts(kind: PictureKind, bytes: &[u8]) -> BTreeSet<String> {
    if kind == PictureKind::Png {
        let chunks = build::chunks_of(bytes);
        assert_eq!(8 + chunks.iter().map(|(_, whole)| whole.len()).sum::<usize>(), bytes.len());
        assert_eq!(chunks.last().unwrap().0, b"IEND");
        return chunks.iter().map(|(name, _)| String::from_utf8_lossy(name).into_owned()).collect();
    }
    let segments = build::segments(bytes);
    assert_eq!(4 + segments.iter().map(|(_, whole)| whole.len()).sum::<usize>(), bytes.len());
    segments.iter().map(|(marker, _)| format!("{marker:x}")).collect()
}

/// What holds for every picture that is made, whatever it was made from.
fn check_made(name: &str, made: &Picture) {
    let full = decoded(&made.full);
    assert!(full.width().max(full.height()) <= FULL_SIDE, "{name}");
    assert_eq!(made.squares.iter().map(|(size, _)| *size).collect::<Vec<_>>(), SQUARES, "{name}");
    for bytes in made.squares.iter().map(|(_, bytes)| bytes).chain([&made.full]) {
        let allowed: &[&str] = match made.kind {
            PictureKind::Jpeg => &["e0", "db", "c0", "c4", "da"],
            PictureKind::Png => &["IHDR", "IDAT", "IEND"],
        };
        let parts = parts(made.kind, bytes);
        assert!(parts.iter().all(|part| allowed.contains(&part.as_str())), "{name}: {parts:?}");
        for secret in ["Exif", "Secret", "secret", "passwd", "ICC_PROFILE", "xmpmeta", "script"] {
            assert!(
                !bytes.windows(secret.len()).any(|window| window == secret.as_bytes()),
                "{name}: {secret}"
            );
        }
    }
    for (size, bytes) in &made.squares {
        let square = decoded(bytes);
        assert_eq!(square.width(), square.height(), "{name}");
        assert!(square.width() <= u32::from(*size), "{name}");
    }
}

/// The limits for a file. What is refused is refused within the limit of the settings. A debug build decodes ten times slower
/// than a release, so a right picture may take longer there.
fn limits_for(case: &Case) -> PictureLimits {
    let mut limits = PictureLimits::default();
    if cfg!(debug_assertions) && matches!(case.expected, Expected::Quarters(..) | Expected::Size(..)) {
        limits.cpu_time *= 30;
    }
    limits
}

/// The error of one file of the corpus; `None` if all is as expected.
fn fault(case: &Case) -> Option<String> {
    let limits = limits_for(case);
    let started = cpu_time();
    let made = make_safe(&case.bytes, &limits);
    let used = cpu_time() - started;
    if used > limits.cpu_time + Duration::from_millis(500) {
        return Some(format!("{} took {used:?}", case.name));
    }
    let is_right = match (&made, case.expected) {
        (Ok(made), Expected::Quarters(width, height)) => {
            let full = decoded(&made.full);
            check_made(&case.name, made);
            (full.width(), full.height()) == (width, height) && quarters(&full) == [0, 1, 2, 3]
        }
        (Ok(made), Expected::Size(width, height)) => {
            let full = decoded(&made.full);
            check_made(&case.name, made);
            (full.width(), full.height()) == (width, height)
        }
        (Err(refusal), Expected::Refused(name)) => variant(refusal) == name,
        (Err(_), Expected::Any | Expected::Either) => true,
        (Ok(made), Expected::Either) => {
            check_made(&case.name, made);
            true
        }
        _ => false,
    };
    let shown = made.map(|made| {
        let full = decoded(&made.full);
        (full.width(), full.height(), quarters(&full))
    });
    (!is_right).then(|| format!("{} ({used:?}): {:?} expected, {shown:?} met", case.name, case.expected))
}

#[test]
fn every_file_of_the_corpus_is_a_right_picture_or_a_refusal_with_its_reason() {
    let corpus = corpus();
    assert!(corpus.len() >= 100, "{}", corpus.len());
    let faults: Vec<String> = corpus.iter().filter_map(fault).collect();
    assert!(faults.is_empty(), "{} of {}: {faults:#?}", faults.len(), corpus.len());
}

/// A profile that exchanges red and green shows whether profiles are applied: after the conversion, the first quarter is
/// green. Numbers that were only kept would still be red.
#[test]
fn profiles_of_rgb_are_converted() {
    for name in ["exchanged.jpg", "exchanged.png", "exchanged.webp"] {
        let made = make_safe(&build::seed(name), &PictureLimits::default()).unwrap();
        assert_eq!(quarters(&decoded(&made.full)), [1, 0, 2, 3], "{name}");
    }
}

/// Opaque pictures become JPEG, others PNG; an alpha channel without a transparent pixel does not count.
#[test]
fn what_is_opaque_becomes_jpeg() {
    for (name, kind) in [
        ("rgb.png", PictureKind::Jpeg),
        ("opaque-alpha.png", PictureKind::Jpeg),
        ("plain.gif", PictureKind::Jpeg),
        ("alpha.png", PictureKind::Png),
        ("alpha-16.png", PictureKind::Png),
        ("gray-alpha.png", PictureKind::Png),
        ("key-color.png", PictureKind::Png),
        ("palette-transparent.png", PictureKind::Png),
        ("transparent.gif", PictureKind::Png),
        ("alpha.webp", PictureKind::Png),
        ("lossless-alpha.webp", PictureKind::Png),
    ] {
        assert_eq!(make_safe(&build::seed(name), &PictureLimits::default()).unwrap().kind, kind, "{name}");
    }
}

/// Squares are cut from the middle and never enlarged.
#[test]
fn squares_come_from_the_middle() {
    let sides = |name: &str| {
        let made = make_safe(&build::seed(name), &PictureLimits::default()).unwrap();
        made.squares.iter().map(|(_, bytes)| decoded(bytes)).collect::<Vec<_>>()
    };
    let large = sides("photo.jpg");
    assert_eq!(large.iter().map(DynamicImage::width).collect::<Vec<_>>(), [64, 128, 256, 512]);
    for square in large.iter().chain(&sides("orientation-6.png")) {
        assert_eq!(quarters(square), [0, 1, 2, 3]);
    }
    let small = sides("rgb.png");
    assert_eq!(small.iter().map(DynamicImage::width).collect::<Vec<_>>(), [48; 4]);
}

/// Every limit is a value that is passed in.
#[test]
fn limits_are_those_that_are_given() {
    let photo = build::seed("photo.jpg");
    let refused = |change: fn(&mut PictureLimits)| {
        let mut limits = PictureLimits::default();
        change(&mut limits);
        make_safe(&photo, &limits).unwrap_err()
    };
    let (width, height) = (1600, 1200);
    assert_eq!(
        refused(|limits| limits.max_bytes = 1000),
        PictureRefusal::TooManyBytes { bytes: photo.len(), limit: 1000 }
    );
    assert_eq!(
        refused(|limits| limits.max_side = 1599),
        PictureRefusal::SideTooLong { width, height, limit: 1599 }
    );
    assert_eq!(
        refused(|limits| limits.max_pixels = 1_919_999),
        PictureRefusal::TooManyPixels { width, height, limit: 1_919_999 }
    );
    assert_eq!(variant(&refused(|limits| limits.decoder_memory = 1 << 20)), "TooMuchMemory");
    assert_eq!(variant(&refused(|limits| limits.cpu_time = Duration::from_micros(1))), "TooMuchWork");
}

/// Every picture of the corpus, opened by Pillow: `scripts/test --judges`.
mod judges {
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "scripts/test --judges installs Pillow"]
    fn pillow_finds_nothing_but_pixels() {
        let folder = tempfile::tempdir().unwrap();
        for (at, case) in corpus().iter().enumerate() {
            let Ok(made) = make_safe(&case.bytes, &PictureLimits::default()) else { continue };
            let ending = made.kind.extension();
            std::fs::write(folder.path().join(format!("{at}.{ending}")), &made.full).unwrap();
            for (size, bytes) in &made.squares {
                std::fs::write(folder.path().join(format!("{at}.{size}.{ending}")), bytes).unwrap();
            }
        }
        let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let judged = Command::new(root.join("target/judges/venv/bin/python"))
            .arg(root.join("tests/judges/pictures.py"))
            .arg(folder.path())
            .output()
            .unwrap();
        let [shown, error] = [&judged.stdout, &judged.stderr].map(|bytes| String::from_utf8_lossy(bytes));
        assert!(judged.status.success(), "{shown}\n{error}");
    }
}
