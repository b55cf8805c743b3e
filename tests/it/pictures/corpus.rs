//! Hostile and unusual files, and what each is answered with.

use image::ExtendedColorType;

use super::build::*;

/// What a file is answered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A picture of this size with the four quarters of the seeds.
    Quarters(u32, u32),
    /// A picture of this size.
    Size(u32, u32),
    /// A refusal of this variant.
    Refused(&'static str),
    /// A refusal of whatever variant.
    Any,
    /// A picture or a refusal: the format leaves it open.
    Either,
}

use Expected::{Any, Either, Quarters, Refused, Size};

/// A file of the corpus.
pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    pub expected: Expected,
}

fn case(name: &str, bytes: impl Into<Vec<u8>>, expected: Expected) -> Case {
    Case { name: name.to_owned(), bytes: bytes.into(), expected }
}

/// All files.
pub fn corpus() -> Vec<Case> {
    let parts = [
        valid(),
        truncated(),
        foreign(),
        pngs(),
        png_bombs(),
        jpegs(),
        jpeg_bombs(),
        gifs(),
        webps(),
        polyglots(),
    ];
    parts.into_iter().flatten().collect()
}

/// What another encoder wrote: every variant is read, turned upright, and has its colors.
fn valid() -> Vec<Case> {
    const UPRIGHT: [&str; 50] = [
        "baseline-444.jpg",
        "baseline-422.jpg",
        "baseline-420.jpg",
        "progressive.jpg",
        "restarts.jpg",
        "cmyk.jpg",
        "rgb.jpg",
        "metadata.jpg",
        "orientation-1.jpg",
        "orientation-2.jpg",
        "orientation-3.jpg",
        "orientation-4.jpg",
        "orientation-5.jpg",
        "orientation-6.jpg",
        "orientation-7.jpg",
        "orientation-8.jpg",
        "rgb.png",
        "metadata.png",
        "orientation-6.png",
        "alpha.png",
        "opaque-alpha.png",
        "palette-2.png",
        "palette-4.png",
        "palette-8.png",
        "animated.png",
        "rgb-16.png",
        "alpha-16.png",
        "interlaced.png",
        "key-color.png",
        "palette-transparent.png",
        "plain.gif",
        "interlaced.gif",
        "comment.gif",
        "transparent.gif",
        "animated.gif",
        "lossy.webp",
        "lossless.webp",
        "alpha.webp",
        "lossless-alpha.webp",
        "metadata.webp",
        "orientation-6.webp",
        "animated.webp",
        "animated-lossless.webp",
        // Gray and few colors: the size only.
        "gray.jpg",
        "gray.png",
        "gray-alpha.png",
        "gray-16.png",
        "bilevel.png",
        "palette-1.png",
        "exchanged.png",
    ];
    let expected = |at| if at < 43 { Quarters(64, 48) } else { Size(64, 48) };
    let mut cases: Vec<Case> =
        UPRIGHT.iter().enumerate().map(|(at, name)| case(name, seed(name), expected(at))).collect();
    cases.extend([
        case("an odd size", seed("odd-size.jpg"), Quarters(61, 47)),
        case("groups of prefix codes", seed("groups.webp"), Size(160, 120)),
        case("a photograph is made smaller", seed("photo.jpg"), Quarters(1024, 768)),
        case("one pixel", flat_png(1, 1, ExtendedColorType::Rgb8), Size(1, 1)),
        case("a vertical line", flat_png(1, 8192, ExtendedColorType::Rgb8), Size(1, 1024)),
        case("a horizontal line", flat_png(8192, 1, ExtendedColorType::L8), Size(1024, 1)),
        case("the largest PNG", flat_png(5000, 5000, ExtendedColorType::Rgba8), Size(1024, 1024)),
        case("the largest JPEG", flat_jpeg(8192, 3051), Size(1024, 381)),
    ]);
    cases
}

fn truncated() -> Vec<Case> {
    const SEEDS: [&str; 12] = [
        "baseline-420.jpg",
        "progressive.jpg",
        "metadata.jpg",
        "rgb.png",
        "interlaced.png",
        "metadata.png",
        "plain.gif",
        "animated.gif",
        "lossy.webp",
        "lossless.webp",
        "alpha.webp",
        "metadata.webp",
    ];
    let mut cases = Vec::new();
    for name in SEEDS {
        let whole = seed(name);
        // After the first frame, a GIF has all that is shown of it.
        let cuts = if name == "animated.gif" { 3 } else { 8 };
        for part in 1..cuts {
            let bytes = &whole[..whole.len() * part / 8];
            cases.push(case(&format!("{name} cut at {part}/8"), bytes, Any));
        }
        let without_end = &whole[..whole.len() - 1];
        if !name.ends_with(".gif") {
            cases.push(case(&format!("{name} without its last byte"), without_end, Any));
        }
    }
    cases
}

fn foreign() -> Vec<Case> {
    let svg = "<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    let wide: Vec<u8> = "\u{feff}<svg><script/></svg>".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let media = |brand: &str| [b"\0\0\0\x18ftyp", brand.as_bytes(), b"\0\0\0\0mif1heic"].concat();
    vec![
        case("nothing", "", Refused("Empty")),
        case("one byte", "\u{1}", Refused("NotAnImage")),
        case("text", "hello", Refused("NotAnImage")),
        case("HTML", "<!DOCTYPE html><script>alert(1)</script>", Refused("NotAnImage")),
        case("JSON", "{\"avatar\": null}", Refused("NotAnImage")),
        case("a program", b"\x7fELF\x02\x01\x01\0\0\0\0".as_slice(), Refused("NotAnImage")),
        case("an archive", b"PK\x03\x04\x14\0\0\0".as_slice(), Refused("NotAnImage")),
        case("a sound in RIFF", b"RIFF\x24\0\0\0WAVEfmt ".as_slice(), Refused("NotAnImage")),
        case("the start of a PNG's signature", b"\x89PNG\r\n".as_slice(), Refused("NotAnImage")),
        case("a path", "../../../../etc/passwd", Refused("NotAnImage")),
        case("SVG with a script", svg, Refused("KindNotAllowed")),
        case("SVG in UTF-16", wide, Refused("KindNotAllowed")),
        case("SVG after a comment", "\n<!-- hidden --><svg/>", Refused("KindNotAllowed")),
        case("HEIC", media("heic"), Refused("KindNotAllowed")),
        case("HEIF", media("mif1"), Refused("KindNotAllowed")),
        case("AVIF by its header", media("avif"), Refused("KindNotAllowed")),
        case("a video", media("isom"), Refused("KindNotAllowed")),
        case("AVIF", seed("avif.avif"), Refused("KindNotAllowed")),
        case("TIFF", seed("tiff.tif"), Refused("KindNotAllowed")),
        case("TIFF of a Macintosh", b"MM\0*\0\0\0\x08".as_slice(), Refused("KindNotAllowed")),
        case("BMP", seed("bitmap.bmp"), Refused("KindNotAllowed")),
        case("ICO", seed("icon.ico"), Refused("KindNotAllowed")),
        case("PDF", seed("pdf.pdf"), Refused("KindNotAllowed")),
        case("JPEG 2000", seed("jpeg2000.jp2"), Refused("KindNotAllowed")),
        case("JPEG XL", b"\xff\x0a\xfa\x1f".as_slice(), Refused("KindNotAllowed")),
        case("PSD", b"8BPS\0\x01".as_slice(), Refused("KindNotAllowed")),
        case("Matroska", b"\x1a\x45\xdf\xa3\x01".as_slice(), Refused("KindNotAllowed")),
    ]
}

fn end() -> Vec<u8> {
    chunk(b"IEND", b"")
}

fn data() -> Vec<u8> {
    chunk(b"IDAT", &[0x78, 0x9c, 0x63, 0, 0])
}

fn pngs() -> Vec<Case> {
    let header_only = |width, height, depth, color| png(width, height, depth, color, &[data(), end()]);
    let rgb = seed("rgb.png");
    let mut bad_sum = rgb.clone();
    bad_sum[30] ^= 1;
    let mut bad_data = rgb.clone();
    bad_data[60] ^= 0xff;
    let header = rgb[8..33].to_vec();
    vec![
        case("PNG of no width", header_only(0, 10, 8, 2), Refused("NoPixels")),
        case("PNG of no height", header_only(10, 0, 8, 2), Refused("NoPixels")),
        case("PNG with a side too long", header_only(8193, 1, 8, 2), Refused("SideTooLong")),
        case(
            "PNG with the longest side there is",
            header_only(u32::MAX, u32::MAX, 8, 2),
            Refused("SideTooLong"),
        ),
        case("PNG with too many pixels", header_only(5001, 5000, 8, 2), Refused("TooManyPixels")),
        case("PNG of 16 bits that is too large", header_only(5000, 5000, 16, 6), Refused("TooMuchMemory")),
        case("PNG of an unknown color type", header_only(8, 8, 8, 5), Refused("Damaged")),
        case("PNG of 3 bits", header_only(8, 8, 3, 0), Either),
        case("PNG with a palette that is missing", header_only(8, 8, 8, 3), Either),
        case("PNG whose header is damaged", bad_sum, Either),
        case("PNG whose data are damaged", bad_data, Refused("Damaged")),
        case("PNG without data", png(8, 8, 8, 2, &[end()]), Refused("Damaged")),
        case("PNG with too little data", header_only(8, 8, 8, 2), Refused("Damaged")),
        case("PNG without a header", [&rgb[..8], &rgb[33..]].concat(), Refused("Damaged")),
        case("PNG with two headers", with_chunks(&rgb, &[header]), Refused("Damaged")),
        case(
            "PNG of an iPhone's program",
            with_chunks(&rgb, &[chunk(b"CgBI", b"P\0 \x02")]),
            Refused("Unsupported"),
        ),
        case("PNG with a path", with_chunks(&rgb, &[chunk(b"tEXt", b"Title\0../../x")]), Quarters(64, 48)),
        case(
            "PNG with a damaged profile",
            with_chunks(&rgb, &[chunk(b"iCCP", b"x\0\0junk")]),
            Quarters(64, 48),
        ),
        case(
            "PNG with a chunk beyond the end",
            with_chunks(&rgb, &[vec![0x7f, 0xff, 0xff, 0xff, b't', b'E', b'X', b't']]),
            Refused("Truncated"),
        ),
        case("PNG with bytes after its end", [&rgb[..], &[0xab; 5000]].concat(), Quarters(64, 48)),
    ]
}

fn png_bombs() -> Vec<Case> {
    let rgb = seed("rgb.png");
    let bomb = deflate_bomb();
    let named = |name: &[u8; 4], prefix: &[u8]| chunk(name, &[prefix, &bomb].concat());
    vec![
        case(
            "PNG bomb of 50,000 x 50,000",
            png(50_000, 50_000, 8, 2, &[data(), end()]),
            Refused("SideTooLong"),
        ),
        case(
            "PNG with a text that expands",
            with_chunks(&rgb, &vec![named(b"zTXt", b"a\0\0"); 20]),
            Quarters(64, 48),
        ),
        case(
            "PNG with international text that expands",
            with_chunks(&rgb, &vec![named(b"iTXt", b"a\0\x01\0\0\0"); 20]),
            Quarters(64, 48),
        ),
        case(
            "PNG with a profile that expands",
            with_chunks(&rgb, &[named(b"iCCP", b"a\0\0")]),
            Quarters(64, 48),
        ),
        case("PNG with data that expand", png(8, 8, 8, 0, &[chunk(b"IDAT", &bomb), end()]), Either),
        case(
            "PNG with 200,000 empty chunks",
            with_chunks(&rgb, &vec![chunk(b"tEXt", b""); 200_000]),
            Quarters(64, 48),
        ),
    ]
}

fn jpegs() -> Vec<Case> {
    let base = seed("baseline-444.jpg");
    let all = segments(&base);
    let without =
        |marker: u8| jpeg(&all.iter().filter(|(each, _)| *each != marker).cloned().collect::<Vec<_>>());
    let with_first = |first: Vec<(u8, Vec<u8>)>| jpeg(&[first, all.clone()].concat());
    let mut ycck = seed("cmyk.jpg");
    let adobe = ycck.windows(5).position(|window| window == b"Adobe").unwrap();
    ycck[adobe + 11] = 2;
    vec![
        case("YCCK", ycck, Size(64, 48)),
        case("JPEG with arithmetic coding", with_frame(&base, Some(0xc9), &[]), Refused("Unsupported")),
        case("JPEG with lossless coding", with_frame(&base, Some(0xc3), &[]), Refused("Unsupported")),
        case("JPEG with hierarchical coding", with_frame(&base, Some(0xc5), &[]), Refused("Unsupported")),
        case("JPEG of 12 bits", with_frame(&base, Some(0xc1), &[(0, 12)]), Refused("Unsupported")),
        case("JPEG of no height", with_frame(&base, None, &frame_size(64, 0)), Refused("NoPixels")),
        case("JPEG of no width", with_frame(&base, None, &frame_size(0, 48)), Refused("NoPixels")),
        case(
            "JPEG of 65,535 x 65,535",
            with_frame(&base, None, &frame_size(65_535, 65_535)),
            Refused("SideTooLong"),
        ),
        case(
            "JPEG with too many pixels",
            with_frame(&base, None, &frame_size(8000, 8000)),
            Refused("TooManyPixels"),
        ),
        case("JPEG with five channels", with_frame(&base, None, &[(5, 5)]), Refused("Damaged")),
        case("JPEG with no channel", with_frame(&base, None, &[(5, 0)]), Refused("Damaged")),
        case("JPEG sampled 15 times", with_frame(&base, None, &[(7, 0xff)]), Refused("Damaged")),
        case("JPEG sampled 0 times", with_frame(&base, None, &[(7, 0)]), Refused("Damaged")),
        case("JPEG with an odd sampling", with_frame(&base, None, &[(7, 0x31)]), Either),
        case("JPEG without codes", without(0xc4), Either),
        case("JPEG without quantisation", without(0xdb), Either),
        case("JPEG without a frame", without(0xc0), Refused("Damaged")),
        case("JPEG without a scan", without(0xda), Refused("Damaged")),
        case("JPEG that is only an end", b"\xff\xd8\xff\xd9".as_slice(), Refused("Damaged")),
        case(
            "JPEG with two frames",
            with_first(vec![all.iter().find(|(marker, _)| *marker == 0xc0).unwrap().clone()]),
            Refused("Damaged"),
        ),
        case("JPEG with junk between segments", [&base[..2], b"junk", &base[2..]].concat(), Either),
        case("JPEG with a segment of length 0", b"\xff\xd8\xff\xe0\0\0".as_slice(), Refused("Damaged")),
        case(
            "JPEG with a segment beyond the end",
            b"\xff\xd8\xff\xe0\xff\xff1".as_slice(),
            Refused("Truncated"),
        ),
        case("JPEG with a path", with_first(vec![segment(0xfe, b"../../../etc/passwd\0")]), Quarters(64, 48)),
        case(
            "JPEG with a script in its comment",
            with_first(vec![segment(0xfe, b"<script>alert(1)</script>")]),
            Quarters(64, 48),
        ),
        case(
            "JPEG with damaged EXIF",
            with_first(vec![segment(0xe1, b"Exif\0\0II*\0\xff\xff\xff\xff")]),
            Quarters(64, 48),
        ),
        case(
            "JPEG with EXIF in a circle",
            with_first(vec![segment(
                0xe1,
                b"Exif\0\0II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0\x08\0\0\0",
            )]),
            Quarters(64, 48),
        ),
        case(
            "JPEG with a damaged profile",
            with_first(vec![segment(0xe2, b"ICC_PROFILE\0\x01\x01junk")]),
            Quarters(64, 48),
        ),
        case("JPEG with a preview after its end", [&base[..], &seed("gray.jpg")].concat(), Quarters(64, 48)),
        case(
            "JPEG with a video after its end",
            [&base[..], b"\0\0\0\x18ftypmp42\0\0\0\0", &[7; 100_000]].concat(),
            Quarters(64, 48),
        ),
    ]
}

fn jpeg_bombs() -> Vec<Case> {
    let all = segments(&seed("progressive.jpg"));
    let scan = all.iter().rfind(|(marker, _)| *marker == 0xda).unwrap().clone();
    let repeated = |count: usize, width, height| {
        let many = jpeg(&[all.clone(), vec![scan.clone(); count]].concat());
        with_frame(&many, None, &frame_size(width, height))
    };
    let codes: Vec<_> = all.iter().filter(|(marker, _)| *marker == 0xc4).cloned().collect();
    let many_codes = jpeg(&[codes.iter().cycle().take(100_000).cloned().collect(), all.clone()].concat());
    let large_444 = with_frame(&jpeg(&all), None, &[&frame_size(5000, 5000)[..], &[(7, 0x11)]].concat());
    vec![
        case("JPEG with 5,000 scans of a large picture", repeated(5000, 4000, 3000), Refused("TooMuchWork")),
        case("JPEG with 5,000 scans of a small picture", repeated(5000, 64, 48), Either),
        case("JPEG with 100 scans of a large picture", repeated(100, 4000, 3000), Refused("TooMuchWork")),
        case("JPEG with 40 scans of a photograph", repeated(40, 2000, 1500), Size(1024, 768)),
        case("JPEG with 100,000 codes", many_codes, Either),
        case("progressive JPEG that needs too much memory", large_444, Refused("TooMuchMemory")),
        case(
            "JPEG of a large size with little data",
            with_frame(&seed("baseline-420.jpg"), None, &frame_size(5000, 5000)),
            Size(1024, 1024),
        ),
    ]
}

fn gifs() -> Vec<Case> {
    let plain = seed("plain.gif");
    let sized = |width: u16, height: u16| {
        let mut gif = plain.clone();
        gif[6..8].copy_from_slice(&width.to_le_bytes());
        gif[8..10].copy_from_slice(&height.to_le_bytes());
        gif
    };
    let image = plain.iter().rposition(|byte| *byte == 0x2c).unwrap();
    let mut no_codes = plain.clone();
    no_codes.truncate(image + 10);
    no_codes.extend([2, 0, 0x3b]);
    vec![
        case("GIF of no width", sized(0, 48), Refused("NoPixels")),
        case("GIF of no height", sized(64, 0), Refused("NoPixels")),
        case("GIF of 65,535 x 65,535", sized(65_535, 65_535), Refused("SideTooLong")),
        case("GIF with too many pixels", sized(8000, 8000), Refused("TooManyPixels")),
        case("GIF whose frame is larger than the screen", sized(32, 24), Size(32, 24)),
        case("GIF whose frame is smaller than the screen", sized(100, 100), Size(100, 100)),
        case("GIF without a frame", b"GIF89a\x08\0\x08\0\0\0\0;".as_slice(), Refused("Damaged")),
        case("GIF of a header alone", b"GIF89a\x08\0\x08\0\0\0\0".as_slice(), Refused("Truncated")),
        case("GIF with an unknown block", b"GIF89a\x08\0\x08\0\0\0\0\x99\0".as_slice(), Refused("Damaged")),
        case("GIF without picture data", no_codes, Either),
        case(
            "GIF with a million frames after the first",
            [&plain[..plain.len() - 1], &b"\x21\xf9\x00".repeat(1_000_000), b";"].concat(),
            Quarters(64, 48),
        ),
    ]
}

fn webps() -> Vec<Case> {
    let lossy = webp_chunk(&seed("lossy.webp"), b"VP8 ");
    let lossless = webp_chunk(&seed("lossless.webp"), b"VP8L");
    let alpha = webp_chunk(&seed("alpha.webp"), b"ALPH");
    let canvas = |flags: u8, side: u8| (b"VP8X", vec![flags, 0, 0, 0, 0xff, side, 0, 0xff, side, 0]);
    let mut between = lossy.clone();
    between[0] |= 1;
    let mut no_size = lossy.clone();
    no_size[6..10].fill(0);
    let mut large = lossless.clone();
    large[1..5].copy_from_slice(&(0x3fff_u32 | 0x3fff << 14).to_le_bytes());
    vec![
        case("WebP with 65,536 groups of codes", groups_bomb(), Refused("TooMuchMemory")),
        case(
            "WebP with a large canvas",
            webp(&[canvas(0, 0x3f), (b"VP8 ", lossy.clone())]),
            Refused("SideTooLong"),
        ),
        case(
            "WebP whose canvas is not its size",
            webp(&[canvas(0, 1), (b"VP8 ", lossy.clone())]),
            Quarters(64, 48),
        ),
        case("WebP of 16,384 x 16,384", webp(&[(b"VP8L", large)]), Refused("SideTooLong")),
        case("WebP of no size", webp(&[(b"VP8 ", no_size)]), Refused("NoPixels")),
        case("WebP that is not a key frame", webp(&[(b"VP8 ", between)]), Refused("Damaged")),
        case("WebP without a picture", webp(&[canvas(0, 0)]), Refused("Damaged")),
        case("WebP with no chunk", webp(&[]), Refused("Damaged")),
        case("WebP with an empty picture", webp(&[(b"VP8L", vec![])]), Refused("Damaged")),
        case(
            "WebP with junk for a picture",
            webp(&[(b"VP8L", [&lossless[..5], &[0xff; 40]].concat())]),
            Refused("Damaged"),
        ),
        case("WebP with an empty frame", webp(&[canvas(2, 0), (b"ANMF", vec![0; 16])]), Refused("Damaged")),
        case("WebP with a short frame", webp(&[canvas(2, 0), (b"ANMF", vec![0; 3])]), Refused("Damaged")),
        case(
            "WebP with alpha of another size",
            webp(&[canvas(0x10, 0), (b"ALPH", alpha[..4].to_vec()), (b"VP8 ", lossy.clone())]),
            Either,
        ),
        case(
            "WebP that claims more bytes than it has",
            [&b"RIFF\xff\xff\xff\x7fWEBPVP8 "[..], &lossy].concat(),
            Refused("Truncated"),
        ),
        case(
            "WebP with bytes after its end",
            [&webp(&[(b"VP8 ", lossy)])[..], b"trailer"].concat(),
            Quarters(64, 48),
        ),
    ]
}

fn polyglots() -> Vec<Case> {
    let (gif, png_file, jpeg_file) = (seed("plain.gif"), seed("rgb.png"), seed("baseline-444.jpg"));
    let zip = b"PK\x03\x04....PK\x05\x06\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
    let pdf = segment(0xfe, b"%PDF-1.7 1 0 obj");
    vec![
        case("GIF and script", b"GIF89a/*\x01\0\0\0\0*/=1;alert(1)//".as_slice(), Refused("SideTooLong")),
        case("GIF and a page", [&gif[..], b"<html><script>alert(1)</script>"].concat(), Refused("Polyglot")),
        case("JPEG and ZIP", [&jpeg_file[..], zip].concat(), Refused("Polyglot")),
        case("PNG and ZIP", [&png_file[..], zip].concat(), Refused("Polyglot")),
        case("JPEG and PDF", jpeg(&[vec![pdf], segments(&jpeg_file)].concat()), Refused("Polyglot")),
        case("PNG and PDF", with_chunks(&png_file, &[chunk(b"tEXt", b"a\0%PDF-1.7")]), Refused("Polyglot")),
        case("PNG and PHP", [&png_file[..], b"<?php system($_GET[0]);"].concat(), Refused("Polyglot")),
        case(
            "WebP and SVG",
            [&seed("lossy.webp")[..], b"<svg onload=alert(1)>"].concat(),
            Refused("Polyglot"),
        ),
        case("PDF and PNG", [&b"%PDF-1.7\n"[..], &png_file].concat(), Refused("KindNotAllowed")),
    ]
}
