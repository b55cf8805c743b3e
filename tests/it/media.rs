//! Media files: what is served, with which headers, and what is not.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use bytes::Bytes;
use tempfile::TempDir;
use wardroom::config::Flags;
use wardroom::media::storage::Storage;

use crate::support::client::exchange;
use crate::support::{Backend, Site, both};

const HASH: &str = "0123456789abcdef0123456789abcdef01234567";
/// The smallest things that begin as a PNG and a JPEG do.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\nnot really";
const JPEG: &[u8] = b"\xff\xd8\xff\xe0not really";

/// A server with a data directory of its own.
async fn site(backend: Backend, flags: Flags) -> (Site, TempDir) {
    let place = tempfile::tempdir().unwrap();
    let site = Site::with(backend, flags.with("data_dir", place.path().display().to_string())).await;
    (site, place)
}

/// A response as it was received: status, headers in their order, body.
#[derive(Debug, PartialEq, Eq)]
struct Raw {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Raw {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

async fn send(site: &Site, method: &str, target: &str, headers: &str) -> Raw {
    let request = format!(
        "{method} {target} HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: one\r\nConnection: close\r\n{headers}\r\n"
    );
    let bytes = exchange(site.address, request.as_bytes()).await;
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n").expect("a head");
    let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
    let mut lines = head.lines();
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers = lines.map(|line| line.split_once(": ").unwrap());
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Raw { status, headers, body: bytes[end + 4..].to_vec() }
}

/// Everything but the time, sorted.
fn comparable(mut raw: Raw) -> Raw {
    raw.headers.retain(|(name, _)| name != "date");
    raw.headers.sort();
    raw
}

async fn put(place: &Path, name: &str, content: &'static [u8]) {
    Storage::disk(place.join("media")).put(name, Bytes::from_static(content)).await.unwrap();
}

both! {
    /// The fast and the common way give the same response. A parameter without effect selects the common way, and so
    /// does the first request for a file.
    async fn an_uploaded_avatar_is_served_alike_on_both_ways(backend: Backend) {
        let (site, place) = site(backend, Flags::default().with("trusted_proxies", "127.0.0.0/8")).await;
        put(place.path(), &format!("users/avatars/{HASH}.png"), PNG).await;
        put(place.path(), &format!("users/avatars/{HASH}.64.png"), b"small").await;
        let path = format!("/media/users/avatars/{HASH}.png");
        let tag = send(&site, "GET", &path, "").await.header("etag").unwrap().to_owned();
        send(&site, "GET", &format!("{path}?size=64"), "").await;
        for (query, common_query) in [("", "?v=2"), ("?size=64", "?size=64&v=2")] {
            for method in ["GET", "HEAD"] {
                for headers in ["", &format!("If-None-Match: {tag}\r\n"), "If-None-Match: \"old\"\r\n", "Range: bytes=0-1\r\n", "Cookie: a=b\r\nAuthorization: Token x\r\n"] {
                    let fast = comparable(send(&site, method, &format!("{path}{query}"), headers).await);
                    let common = comparable(send(&site, method, &format!("{path}{common_query}"), headers).await);
                    assert_eq!(fast, common, "{method} {query} {headers}");
                }
            }
        }
        let whole = send(&site, "GET", &path, "").await;
        assert_eq!((whole.status, whole.body.as_slice()), (200, PNG));
        for (name, value) in [
            ("content-type", "image/png"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "public, max-age=31536000, immutable"),
            ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "cross-origin"),
            ("access-control-allow-origin", "*"),
            ("content-disposition", &format!("inline; filename=\"{HASH}.png\"")),
            ("accept-ranges", "none"),
            ("content-length", "18"),
            ("x-request-id", "one"),
        ] {
            assert_eq!(whole.header(name), Some(value), "{name}");
        }
        assert!(tag.starts_with('"') && tag.len() > 20, "a strong tag: {tag}");
        assert!(whole.headers.iter().all(|(name, _)| name != "set-cookie" && name != "vary"), "{whole:?}");
        let named: std::collections::BTreeSet<_> = whole.headers.iter().map(|(name, _)| name).collect();
        assert_eq!(named.len(), whole.headers.len(), "no header twice");
        let head = send(&site, "HEAD", &path, "").await;
        assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("18")));
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let same = send(&site, "GET", &path, &format!("If-None-Match: {known}\r\n")).await;
            assert_eq!((same.status, same.body.len(), same.header("etag")), (304, 0, Some(tag.as_str())), "{known}");
            assert_eq!(same.header("cache-control"), Some("public, max-age=31536000, immutable"));
        }
        assert_eq!(send(&site, "GET", &format!("{path}?size=64"), "").await.body, b"small");
        assert_eq!(send(&site, "GET", &format!("/media/users/avatars/{HASH}.64.png"), "").await.body, b"small");
        for host in ["evil.example", "localhost@evil.example"] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = exchange(site.address, request.as_bytes()).await;
            assert!(answer.starts_with(b"HTTP/1.1 400 "), "{host}");
        }
    }
}

both! {
    async fn what_is_not_there_is_404_and_other_methods_are_405(backend: Backend) {
        let (site, place) = site(backend, Flags::default()).await;
        put(place.path(), &format!("users/avatars/{HASH}.jpg"), JPEG).await;
        let path = format!("/media/users/avatars/{HASH}.jpg");
        for target in [
            format!("{path}?size=64"),
            format!("{path}?size=65"),
            format!("{path}?size="),
            format!("{path}?size=64&size=64"),
            format!("/media/users/avatars/{HASH}.png"),
            format!("/media/users/avatars/{}.jpg", HASH.replace('0', "1")),
            "/media/".to_owned(),
            "/media".to_owned(),
            "/media/users/avatars".to_owned(),
            "/media/users/avatars/".to_owned(),
            "/media/avatars/alex_profile.jpg".to_owned(),
        ] {
            let answer = send(&site, "GET", &target, "").await;
            assert_eq!((answer.status, answer.body.as_slice()), (404, &b"{\"detail\":\"Not found.\"}"[..]), "{target}");
        }
        let missing = send(&site, "GET", &format!("{path}?size=64"), "").await;
        assert_eq!(missing.header("cache-control"), Some("private, no-store"), "an upload may come");
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer = send(&site, method, &path, "Content-Length: 0\r\n").await;
            assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")), "{method}");
            assert!(String::from_utf8(answer.body).unwrap().contains(&format!("Method \\\"{method}\\\" not allowed.")));
        }
        assert_eq!(send(&site, "POST", "/nowhere", "Content-Length: 0\r\n").await.status, 404);
    }
}

both! {
    async fn imported_files_are_served_and_nothing_outside_of_the_directory(backend: Backend) {
        let (site, place) = site(backend, Flags::default()).await;
        let (media, away) = (place.path().join("media"), place.path().join("away"));
        fs::create_dir_all(media.join("avatars/deep")).unwrap();
        fs::create_dir(&away).unwrap();
        fs::write(media.join("avatars/alex_profile.jpg"), JPEG).unwrap();
        fs::write(media.join("avatars/deep/a b é.png"), PNG).unwrap();
        fs::write(media.join("avatars/page.jpg"), "<script>alert(1)</script>").unwrap();
        fs::write(media.join("avatars/drawing.svg"), "<svg xmlns='http://www.w3.org/2000/svg'/>").unwrap();
        fs::write(media.join(".hidden.png"), PNG).unwrap();
        fs::create_dir(media.join(".git")).unwrap();
        fs::write(media.join(".git/x.png"), PNG).unwrap();
        fs::write(away.join("secret.png"), PNG).unwrap();
        fs::write(place.path().join("secret.png"), PNG).unwrap();
        symlink(&away, media.join("link")).unwrap();
        symlink(away.join("secret.png"), media.join("link.png")).unwrap();
        symlink("avatars/alex_profile.jpg", media.join("inside.png")).unwrap();
        let large: Vec<u8> = PNG.iter().copied().chain((0..300_000_u32).map(|number| (number % 251) as u8)).collect();
        fs::write(media.join("large.png"), &large).unwrap();

        let jpeg = send(&site, "GET", "/media/avatars/alex_profile.jpg", "").await;
        assert_eq!((jpeg.status, jpeg.body.as_slice()), (200, JPEG));
        for (name, value) in [
            ("content-type", "image/jpeg"), ("cache-control", "public, max-age=300"),
            ("x-content-type-options", "nosniff"), ("content-security-policy", "default-src 'none'; sandbox"),
            ("cross-origin-resource-policy", "cross-origin"), ("access-control-allow-origin", "*"), ("accept-ranges", "none"), ("content-length", "14"),
            ("content-disposition", "inline; filename=\"alex_profile.jpg\""),
        ] {
            assert_eq!(jpeg.header(name), Some(value), "{name}");
        }
        let tag = jpeg.header("etag").unwrap().to_owned();
        let same = send(&site, "GET", "/media/avatars/alex_profile.jpg", &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!((same.status, same.body.len()), (304, 0));
        assert_eq!(send(&site, "GET", "/media/avatars/alex_profile.jpg?size=64", "").await.body, JPEG, "it has no squares");
        assert_eq!(send(&site, "GET", "/media/avatars/alex_profile.jpg?size=65", "").await.status, 404);
        let head = send(&site, "HEAD", "/media/avatars/alex_profile.jpg", "").await;
        assert_eq!((head.status, head.body.len(), head.header("content-length")), (200, 0, Some("14")));
        assert_eq!(send(&site, "GET", "/media/large.png", "").await.body, large);
        fs::write(media.join("avatars/alex_profile.jpg"), [JPEG, b"!"].concat()).unwrap();
        let changed = send(&site, "GET", "/media/avatars/alex_profile.jpg", &format!("If-None-Match: {tag}\r\n")).await;
        assert_eq!((changed.status, changed.body.len()), (200, 15));

        let named = send(&site, "GET", "/media/avatars/deep/a%20b%20%C3%A9.png", "").await;
        assert_eq!((named.status, named.body.as_slice()), (200, PNG));
        for name in ["page.jpg", "drawing.svg"] {
            let file = send(&site, "GET", &format!("/media/avatars/{name}"), "").await;
            assert_eq!(file.header("content-type"), Some("application/octet-stream"), "{name}");
            assert_eq!(file.header("content-disposition"), Some(format!("attachment; filename=\"{name}\"").as_str()));
        }
        let long = "a".repeat(300);
        for target in [
            "/media/../secret.png", "/media/avatars/../../secret.png", "/media/%2e%2e/secret.png", "/media/..%2fsecret.png",
            "/media/avatars%2falex_profile.jpg", "/media/avatars%5calex_profile.jpg", "/media/avatars/alex_profile.jpg%00",
            "/media//avatars/alex_profile.jpg", "/media/./avatars/alex_profile.jpg", "/media/.hidden.png", "/media/.git/x.png",
            "/media/link/secret.png", "/media/link.png", "/media/inside.png", "/media/avatars", "/media/avatars/",
            "/media//etc/passwd", "/media/%2fetc/passwd", "/media/avatars/alex_profile.jpg/x", "/media/avatars/%ff",
            &format!("/media/{long}.png"), &format!("/media/{}x.png", "a/".repeat(700)), "/MEDIA/avatars/alex_profile.jpg",
        ] {
            assert_eq!(send(&site, "GET", target, "").await.status, 404, "{target}");
        }
    }
}

both! {
    async fn the_path_is_that_of_the_setting_and_media_behind_a_cdn(backend: Backend) {
        for (media_url, path) in [("/files/of/users/", "/files/of/users/"), ("https://cdn.example/x/", "/media/"), ("/api/", "/api/")] {
            let (site, place) = site(backend, Flags::default().with("media_url", media_url)).await;
            put(place.path(), &format!("users/avatars/{HASH}.jpg"), JPEG).await;
            put(place.path(), "old/ann.jpg", JPEG).await;
            for name in [format!("users/avatars/{HASH}.jpg"), format!("users/avatars/{HASH}.jpg"), "old/ann.jpg".to_owned()] {
                assert_eq!(send(&site, "GET", &format!("{path}{name}"), "").await.body, JPEG, "{media_url} {name}");
            }
            assert_eq!(site.me(&site.alex.key).send().await.status, 200);
        }
    }
}

both! {
    /// A removed file is answered from memory for a minute at most; without memory, it is gone at once.
    async fn without_a_cache_every_request_reads_the_file(backend: Backend) {
        let (site, place) = site(backend, Flags::default().with("media_cache", "0")).await;
        let name = format!("users/avatars/{HASH}.jpg");
        put(place.path(), &name, JPEG).await;
        let path = format!("/media/{name}");
        assert_eq!(send(&site, "GET", &path, "").await.body, JPEG);
        Storage::disk(place.path().join("media")).remove(&name).await.unwrap();
        assert_eq!(send(&site, "GET", &path, "").await.status, 404);
    }
}

both! {
    /// A large file is not copied for each client: both ways send what is in memory. What is not in memory counts.
    async fn large_files_are_sent_from_memory_or_counted(backend: Backend) {
        let content: &'static [u8] = [JPEG, vec![7; 900 * 1024].as_slice()].concat().leak();
        let path = format!("/media/users/avatars/{HASH}.jpg");
        let flags = || Flags::default().with("body_memory", "1MiB");
        let (kept, place) = site(backend, flags()).await;
        put(place.path(), &format!("users/avatars/{HASH}.jpg"), content).await;
        let first = comparable(send(&kept, "GET", &path, "").await);
        assert_eq!((first.status, first.body == content), (200, true));
        for _ in 0..2 {
            assert_eq!(comparable(send(&kept, "GET", &path, "").await), first);
        }
        let (unkept, place) = site(backend, flags().with("media_cache", "0")).await;
        put(place.path(), &format!("users/avatars/{HASH}.jpg"), content).await;
        assert_eq!(send(&unkept, "GET", &path, "").await.status, 503, "it is larger than three quarters of the budget");
        assert_eq!(send(&unkept, "HEAD", &path, "").await.status, 200);
    }
}

/// The text of an answer of the database.
async fn states(site: &Site) -> Vec<i64> {
    let count = async |state: &str| {
        site.database
            .number(&format!("SELECT count(*) FROM unreferenced_media WHERE state = '{state}'"))
            .await
    };
    vec![count("waiting").await, count("removing").await]
}

fn avatar(number: u8) -> String {
    format!("users/avatars/{number:040}.jpg")
}

const GRACE: std::time::Duration = std::time::Duration::from_hours(24 * 30);

/// Moves what is recorded into the past.
async fn age(site: &Site, days: i64) {
    let micros = days * 24 * 3_600_000_000;
    site.database.sql(&format!("UPDATE unreferenced_media SET since = since - {micros}")).await;
}

both! {
    /// Files that no user has are removed after the grace: not those of users, of deleted users, imported ones, or ones that are
    /// named again, by whatever wrote the row.
    async fn files_that_no_user_has_are_removed_after_the_grace(backend: Backend) {
        let (site, place) = site(backend, Flags::default()).await;
        let storage = Storage::disk(place.path().join("media"));
        for number in 1..=6 {
            put(place.path(), &avatar(number), JPEG).await;
            put(place.path(), &avatar(number).replace(".jpg", ".64.jpg"), JPEG).await;
        }
        // An upload that was cut off left a square alone.
        put(place.path(), &avatar(7).replace(".jpg", ".64.jpg"), JPEG).await;
        put(place.path(), "avatars/alex_profile.jpg", JPEG).await;
        let name = |id: i64, avatar: &str| format!("UPDATE users SET avatar = '{avatar}' WHERE id = {id}");
        site.database.sql(&name(site.alex.id, &avatar(1))).await;
        site.database.sql(&name(site.plain.id, &avatar(2))).await;
        let plain = wardroom::directory::model::UserKey::Id(site.plain.id.try_into().unwrap());
        site.directory().delete_user(&crate::support::site::operator(), &plain).await.unwrap();
        let sweep = async || wardroom::jobs::media::sweep(site.directory(), &storage, GRACE).await.unwrap();
        let left = async || {
            let files = storage.list("users/avatars").await.unwrap();
            files.iter().filter(|file| !file.name.contains(".64.")).map(|file| file.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!((sweep().await, states(&site).await), (0, vec![5, 0]));
        age(&site, 29).await;
        assert_eq!((sweep().await, states(&site).await), (0, vec![5, 0]));
        // One is named again by someone's SQL, and one has lost its files.
        site.database.sql(&name(site.staff.id, &avatar(3))).await;
        for file in [avatar(4), avatar(4).replace(".jpg", ".64.jpg")] {
            storage.remove(&file).await.unwrap();
        }
        age(&site, 2).await;
        assert_eq!((sweep().await, states(&site).await), (3, vec![0, 0]));
        assert_eq!(left().await, [avatar(1), avatar(2), avatar(3)]);
        assert_eq!(storage.list("users/avatars").await.unwrap().len(), 6, "the squares went with them");
        assert!(storage.get("avatars/alex_profile.jpg").await.unwrap().is_some(), "imported files stay");
        // The deleted user is gone permanently, and the others get other avatars: the grace begins then.
        site.database.sql("DELETE FROM deleted_users").await;
        assert_eq!((sweep().await, states(&site).await), (0, vec![1, 0]));
        age(&site, 31).await;
        // It is named after the comparison would have seen it, in the same sweep's removal.
        site.database.sql(&name(site.staff.id, &avatar(2))).await;
        assert_eq!((sweep().await, states(&site).await), (0, vec![1, 0]), "avatar 3 waits now");
        assert_eq!(left().await, [avatar(1), avatar(2), avatar(3)]);
    }
}

both! {
    /// While the files of an avatar are being removed, no upload can name it, and another process takes over only what was left
    /// lying. Two that sweep at the same time do no harm.
    async fn a_removal_and_an_upload_exclude_each_other(backend: Backend) {
        let (site, place) = site(backend, Flags::default()).await;
        let storage = Storage::disk(place.path().join("media"));
        put(place.path(), &avatar(1), JPEG).await;
        let sweep = async || wardroom::jobs::media::sweep(site.directory(), &storage, GRACE).await.unwrap();
        sweep().await;
        age(&site, 31).await;
        assert_eq!(site.directory().media_to_remove(GRACE).await.unwrap(), [avatar(1)]);
        assert_eq!(states(&site).await, [0, 1]);
        // The process that began has some time.
        assert_eq!(site.directory().media_to_remove(GRACE).await.unwrap(), [""; 0]);
        assert_eq!(sweep().await, 0);
        assert_eq!(states(&site).await, [0, 1]);
        assert!(storage.get(&avatar(1)).await.unwrap().is_some());
        age(&site, 1).await;
        let (one, other) = tokio::join!(sweep(), sweep());
        assert_eq!((one + other, states(&site).await), (1, vec![0, 0]));
        assert_eq!(storage.get(&avatar(1)).await.unwrap(), None);
    }
}

both! {
    /// An upload of a picture whose files are being removed is refused and changes nothing; one that only waits for its removal
    /// stays.
    async fn an_upload_ends_the_wait_and_is_refused_during_the_removal(backend: Backend) {
        use crate::avatars::{FORM, file, form, png};
        let (site, _place) = site(backend, Flags::default()).await;
        let upload = async || {
            let body = form(&[file(&png([9, 9, 9]))]);
            site.request("PATCH", "/api/users/me").token(&site.alex.key).body(FORM, body).send().await
        };
        let first = upload().await;
        assert_eq!(first.status, 200, "{first}");
        let url = first.json()["avatar"].as_str().unwrap().to_owned();
        let name = url.strip_prefix("http://localhost/media/").unwrap().to_owned();
        for (state, status) in [("removing", 429), ("waiting", 200)] {
            site.database.sql(&format!("UPDATE users SET avatar = NULL WHERE id = {}", site.alex.id)).await;
            site.database.sql("DELETE FROM unreferenced_media").await;
            site.database.sql(&format!("INSERT INTO unreferenced_media (name, since, state) VALUES ('{name}', 0, '{state}')")).await;
            let again = upload().await;
            assert_eq!(again.status, status, "{state}: {again}");
            let shown = site.me(&site.alex.key).send().await.json()["avatar"].clone();
            if status == 200 {
                assert_eq!((shown, states(&site).await), (url.as_str().into(), vec![0, 0]));
            } else {
                assert_eq!(again.header("retry-after"), Some("60"), "{again}");
                assert_eq!((shown, states(&site).await), (serde_json::Value::Null, vec![0, 1]));
            }
        }
    }
}
