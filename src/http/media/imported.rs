//! Files below the media directory that were not uploaded here, such as those that came with an import. They are only read.

use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{FileExt as _, MetadataExt as _};
use std::path::Path;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream::try_unfold;
use http::HeaderValue;
use http::header::CONTENT_LENGTH;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest as _, Sha256};
use tokio::task::spawn_blocking;

use super::answers::{Failure, WantedFile, not_modified};
use crate::http::app::App;
use crate::http::avatar_cache::{headers, tag_of};
use crate::media::storage::{FilePart, StorageError, open_below};

/// How long browsers and caches may keep a file that can change.
const CHANGEABLE: &str = "public, max-age=300";
/// How much of a file is in memory while it is sent, in bytes.
const PIECE: usize = 64 * 1024;
/// The same of a file in a bucket. Each part is a call.
const PART: u64 = 256 * 1024;
/// How many bytes decide which type a file has.
const SIGNATURE: usize = 16;

/// What a file is sent as.
struct Found {
    file: File,
    metadata: Metadata,
    media_type: Option<&'static str>,
}

pub(super) async fn find(app: &App, name: &str, wanted: &WantedFile<'_>) -> Result<Response, Failure> {
    let (root, path) = (app.settings().media_root.clone(), name.to_owned());
    let opened = spawn_blocking(move || open(&root, Path::new(&path))).await;
    let unavailable = |error: &dyn std::fmt::Display| {
        Failure::Storage(StorageError::Unavailable(format!("{name} cannot be read: {error}")))
    };
    let found = opened.map_err(|error| unavailable(&error))?.map_err(|error| unavailable(&error))?;
    match found {
        Some(found) => respond(found, name, wanted),
        // After a move to a bucket, it is there.
        None => {
            let first = part(app, name, 0, None).await?.ok_or(Failure::NotFound)?;
            in_bucket(app, first, name, wanted)
        }
    }
}

fn open(root: &Path, name: &Path) -> io::Result<Option<Found>> {
    let file = match open_below(root, name) {
        // A file that the server may not read is unknown.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(None),
        opened => opened?,
    };
    let Some(mut file) = file else { return Ok(None) };
    let metadata = file.metadata()?;
    let mut first = Vec::with_capacity(SIGNATURE);
    file.by_ref().take(SIGNATURE as u64).read_to_end(&mut first)?;
    Ok(Some(Found { file, metadata, media_type: picture(&first) }))
}

/// Returns the media type of the picture that begins with these bytes. SVG is none, because it can run scripts.
fn picture(first: &[u8]) -> Option<&'static str> {
    let brand = first.get(4..12).unwrap_or_default();
    match first {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        _ if [b"ftypavif", b"ftypavis"].iter().any(|known| brand == *known) => Some("image/avif"),
        [b'B', b'M', ..] if first.get(6..10) == Some(&[0; 4]) => Some("image/bmp"),
        _ => None,
    }
}

fn respond(found: Found, name: &str, wanted: &WantedFile<'_>) -> Result<Response, Failure> {
    let Found { file, metadata, media_type } = found;
    let length = metadata.len();
    let changed = i128::from(metadata.mtime()) * 1_000_000_000 + i128::from(metadata.mtime_nsec());
    let tag = format!("\"{:x}-{changed:x}-{length:x}\"", metadata.ino());
    answer(&tag, media_type, name, wanted, length, || Body::from_stream(pieces(file, length)))
}

/// Answers with a file in a bucket. Only a part of it is in memory at a time.
fn in_bucket(app: &App, first: FilePart, name: &str, wanted: &WantedFile<'_>) -> Result<Response, Failure> {
    let (size, media_type) = (first.size, picture(&first.content));
    // The service's own tag, whose form is not checked, goes in as a hash.
    let tag = tag_of(Sha256::new().chain_update(size.to_be_bytes()).chain_update(&first.tag));
    answer(&tag, media_type, name, wanted, size, || match first.content.len() as u64 == size {
        true => first.content.into(),
        false => Body::from_stream(parts(app.clone(), name.to_owned(), first)),
    })
}

/// Reads a part of a file in the bucket when it is its turn.
async fn part(
    app: &App,
    name: &str,
    start: u64,
    tag: Option<&str>,
) -> Result<Option<FilePart>, StorageError> {
    let _turn = app.avatars().turn().await?;
    app.storage().part_in_bucket(name, start, PART, tag).await
}

/// Sends the first part and reads the others one by one. A file that changes meanwhile ends the answer early.
fn parts(
    app: App,
    name: String,
    first: FilePart,
) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static {
    let FilePart { content, size, tag } = first;
    try_unfold((app, name, Some(content), 0_u64), move |(app, name, content, at)| {
        let tag = tag.clone();
        async move {
            if at >= size {
                return Ok(None);
            }
            let content = match content {
                Some(content) => content,
                None => {
                    let read = part(&app, &name, at, Some(&tag)).await.map_err(io::Error::other)?;
                    read.filter(|part| !part.content.is_empty()).ok_or(ErrorKind::UnexpectedEof)?.content
                }
            };
            let next = at + content.len() as u64;
            Ok(Some((content, (app, name, None, next))))
        }
    })
}

fn answer(
    tag: &str,
    media_type: Option<&'static str>,
    name: &str,
    wanted: &WantedFile<'_>,
    length: u64,
    body: impl FnOnce() -> Body,
) -> Result<Response, Failure> {
    let tag = HeaderValue::from_str(tag).map_err(|_| Failure::NotFound)?;
    let is_whole = !wanted.has(&tag);
    let mut response = match is_whole {
        true if wanted.is_head => Response::new(Body::empty()),
        true => Response::new(body()),
        false => not_modified(),
    };
    let content_type = HeaderValue::from_static(media_type.unwrap_or("application/octet-stream"));
    let disposition = disposition(name, media_type.is_some()).ok_or(Failure::NotFound)?;
    let own = response.headers_mut();
    for (name, value) in headers(is_whole, content_type, disposition, CHANGEABLE, tag) {
        own.insert(name, value);
    }
    if is_whole {
        own.insert(CONTENT_LENGTH, length.into());
    }
    Ok(response)
}

/// The value of `Content-Disposition` (RFC 6266). Characters that are not plain are only in the second form of the name.
fn disposition(name: &str, is_picture: bool) -> Option<HeaderValue> {
    let name = name.rsplit('/').next().unwrap_or_default();
    let kind = if is_picture { "inline" } else { "attachment" };
    let is_plain =
        |character: &char| character.is_ascii_graphic() && !"\"\\%".contains(*character) || *character == ' ';
    let plain: String = name.chars().map(|one| if is_plain(&one) { one } else { '_' }).collect();
    let text = match plain == name {
        true => format!("{kind}; filename=\"{plain}\""),
        false => {
            let encoded = utf8_percent_encode(name, NON_ALPHANUMERIC);
            format!("{kind}; filename=\"{plain}\"; filename*=UTF-8''{encoded}")
        }
    };
    HeaderValue::from_str(&text).ok()
}

/// Reads a file piece by piece. One that shrinks meanwhile ends the answer early, and the client sees that.
fn pieces(file: File, length: u64) -> impl futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static {
    try_unfold((file, 0_u64), move |(file, at)| async move {
        let wanted = usize::try_from(length - at).unwrap_or(PIECE).min(PIECE);
        if wanted == 0 {
            return Ok(None);
        }
        let read = spawn_blocking(move || {
            let mut piece = vec![0; wanted];
            file.read_exact_at(&mut piece, at)?;
            Ok::<_, io::Error>((file, piece))
        });
        let (file, piece) = read.await.map_err(io::Error::other)??;
        let next = at + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, next))))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_decides_what_is_a_picture() {
        for (first, media_type) in [
            (&b"\xff\xd8\xff\xe0"[..], Some("image/jpeg")),
            (b"\x89PNG\r\n\x1a\n", Some("image/png")),
            (b"GIF89a", Some("image/gif")),
            (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"\0\0\0\x20ftypavif", Some("image/avif")),
            (b"BM\x10\0\0\0\0\0\0\0", Some("image/bmp")),
            (b"BMW", None),
            (b"<svg xmlns=", None),
            (b"<!doctype html>", None),
            (b"%PDF-1.7", None),
            (b"", None),
        ] {
            assert_eq!(picture(first), media_type, "{first:?}");
        }
    }

    #[test]
    fn names_of_downloads_are_escaped() {
        for (name, is_picture, value) in [
            ("avatars/alex.jpg", true, "inline; filename=\"alex.jpg\""),
            ("a b.html", false, "attachment; filename=\"a b.html\""),
            ("a\"b.txt", false, "attachment; filename=\"a_b.txt\"; filename*=UTF-8''a%22b%2Etxt"),
            ("é.png", true, "inline; filename=\"_.png\"; filename*=UTF-8''%C3%A9%2Epng"),
        ] {
            assert_eq!(disposition(name, is_picture).unwrap(), value);
        }
    }
}
