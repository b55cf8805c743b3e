//! Avatars: uploads, from the bytes of a form to the row, with every misuse; the initials of users who have none.

use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use image::{ImageFormat, Rgb, RgbImage};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wardroom::config::Flags;
use wardroom::directory::model::Rate;

use crate::support::site::{Persona, person};
use crate::support::{Answer, Backend, Request, Site, both};

pub const FORM: &str = "multipart/form-data; boundary=b";
const JSON: &str = "application/json";
const NOT_A_FILE: &str = "The submitted data was not a file. Check the encoding type on the form.";

/// A picture in this color.
pub fn png(color: [u8; 3]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = RgbImage::from_pixel(90, 70, Rgb(color));
    picture.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

/// A part of a form; `more` follows its name.
fn part(name: &str, more: &str, content: &[u8]) -> Vec<u8> {
    let head = format!("--b\r\nContent-Disposition: form-data; name=\"{name}\"{more}\r\n\r\n");
    [head.as_bytes(), content, b"\r\n"].concat()
}

pub fn file(content: &[u8]) -> Vec<u8> {
    part("avatar", "; filename=\"clients-own-name.png\"\r\nContent-Type: text/x-clients-own-type", content)
}

fn text(name: &str, text: &str) -> Vec<u8> {
    part(name, "", text.as_bytes())
}

pub fn form(parts: &[Vec<u8>]) -> Vec<u8> {
    [parts.concat().as_slice(), b"--b--\r\n"].concat()
}

async fn send(site: &Site, who: &Persona, method: &str, path: &str, parts: &[Vec<u8>]) -> Answer {
    site.request(method, path).token(&who.key).body(FORM, form(parts)).send().await
}

async fn upload(site: &Site, who: &Persona, color: [u8; 3]) -> Answer {
    send(site, who, "PATCH", "/api/users/me", &[file(&png(color))]).await
}

async fn patch(site: &Site, who: &Persona, path: &str, body: Value) -> Answer {
    site.request("PATCH", path).token(&who.key).body(JSON, body.to_string()).send().await
}

/// The names of all files below a directory.
pub fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut below = vec![root.to_owned()];
    while let Some(directory) = below.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
            }
        }
    }
    found.sort();
    found
}

/// The stored name that a URL shows.
fn name_of(url: &Value) -> String {
    url.as_str().unwrap().strip_prefix("http://localhost/media/").unwrap().to_owned()
}

/// Whether a picture has all of its files, and each of them is a whole picture.
pub fn complete(root: &Path, name: &str) -> bool {
    let (base, extension) = name.rsplit_once('.').unwrap();
    ["", ".64", ".128", ".256", ".512"].into_iter().all(|size| {
        let file = std::fs::read(root.join(format!("{base}{size}.{extension}")));
        file.is_ok_and(|bytes| image::load_from_memory(&bytes).is_ok())
    })
}

fn assert_complete(root: &Path, name: &str) {
    assert!(complete(root, name), "{name}: {:?}", files(root));
}

async fn events(site: &Site) -> i64 {
    site.database
        .number("SELECT count(*) FROM audit_events WHERE action NOT IN ('request.refused', 'token.refused')")
        .await
}

both! {
    /// The answer, the express lane, the common way and a replica show a new picture at once, and its files exist.
    async fn an_upload_is_shown_everywhere_at_once(backend: Backend) {
        let site = Site::start(backend).await;
        let replica = site.replica().await;
        let me = async |address| Request::new(address, "GET", "/api/users/me").token(&site.alex.key).send().await;
        assert_eq!(me(site.address).await.status + me(replica).await.status, 400, "both have cached the caller");
        for color in [[200, 0, 0], [0, 200, 0], [200, 0, 0]] {
            let answer = upload(&site, &site.alex, color).await;
            assert_eq!(answer.status, 200, "{answer}");
            let url = answer.json()["avatar"].clone();
            assert_complete(&site.media, &name_of(&url));
            for address in [replica, site.address] {
                let cached = me(address).await;
                assert_eq!(cached.json()["avatar"], url);
                let common = Request::new(address, "GET", "/api/users/me?x").token(&site.alex.key).send().await;
                assert_eq!(common.body, cached.body, "the express lane answers byte for byte as the common way");
            }
            let item = site.get("/api/users/42").token(&site.admin.key).send().await;
            assert_eq!(item.json()["avatar"], url);
        }
        assert_eq!(files(&site.media).len(), 10, "the same picture has the same name");
        let hash = name_of(&me(site.address).await.json()["avatar"]);
        let hash = hash.strip_prefix("users/avatars/").unwrap().split('.').next().unwrap();
        assert!(hash.len() == 40 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
        // The same picture of another user has another name.
        let other = upload(&site, &site.staff, [200, 0, 0]).await.json()["avatar"].clone();
        assert_ne!(other, me(site.address).await.json()["avatar"]);
    }
}

both! {
    /// The trail has the change with size and type. What the client says about its file is nowhere.
    async fn an_upload_leaves_an_event_without_the_client_s_names(backend: Backend) {
        let site = Site::start(backend).await;
        let before = events(&site).await;
        let name = name_of(&upload(&site, &site.alex, [1, 2, 3]).await.json()["avatar"]);
        assert_eq!(events(&site).await, before + 1);
        let last = async || site.get("/api/users/audit?limit=1").token(&site.admin.key).send().await.json()["results"][0].clone();
        let event = last().await;
        assert_eq!((&event["action"], &event["object_id"]), (&json!("user.update"), &json!(42)));
        let bytes = std::fs::metadata(site.media.join(&name)).unwrap().len();
        let kind = if name.ends_with("png") { "image/png" } else { "image/jpeg" };
        assert_eq!(event["changes"], json!({"avatar": [{"name": "avatars/alex_profile.jpg"}, {"name": name, "type": kind, "bytes": bytes}]}));
        // The same picture again is no change.
        upload(&site, &site.alex, [1, 2, 3]).await;
        assert_eq!(events(&site).await, before + 1);
        assert_eq!(patch(&site, &site.alex, "/api/users/me", json!({"avatar": null})).await.json()["avatar"], Value::Null);
        assert_eq!(last().await["changes"], json!({"avatar": [{"name": name, "type": kind}, null]}));
        let rows = crate::support::Rows::of(&site.database).await.all().await;
        for secret in ["clients-own-name", "clients-own-type"] {
            assert!(!rows.contains(secret) && !files(&site.media).concat().contains(secret));
        }
    }
}

both! {
    /// The framework's texts. Nothing is stored, and nothing changes.
    async fn every_misuse_has_its_text(backend: Backend) {
        let site = Site::start(backend).await;
        let long = format!("; filename=\"{}.png\"", "x".repeat(97));
        let just = format!("; filename=\"dir\\{}.png\"", "x".repeat(96));
        let before = events(&site).await;
        for (parts, expected) in [
            (vec![text("avatar", "a.png")], NOT_A_FILE),
            (vec![text("avatar", ""), text("avatar", "a.png")], NOT_A_FILE),
            (vec![part("avatar", "; filename=\"a.png\"", b"")], "The submitted file is empty."),
            (vec![part("avatar", "; filename=\"\"", &png([1; 3]))], "No filename could be determined."),
            (vec![part("avatar", "; filename=\"a/..\"", b"x")], "No filename could be determined."),
            (vec![part("avatar", &long, &png([1; 3]))], "Ensure this filename has at most 100 characters (it has 101)."),
            (vec![part("avatar", &just, b"no picture")], "Upload a valid image. The file you uploaded was either not an image or a corrupted image."),
            // The last one counts.
            (vec![file(&png([1; 3])), file(b"")], "The submitted file is empty."),
        ] {
            let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &parts).await;
            assert_eq!(answer.to_string(), format!("400 {}", json!({"avatar": [expected]})));
        }
        for value in [json!("a.png"), json!(7), json!(true), json!(["x"]), json!([]), json!([null]), json!({"a": 1})] {
            let answer = patch(&site, &site.alex, "/api/users/me", json!({"avatar": value})).await;
            assert_eq!(answer.to_string(), format!("400 {}", json!({"avatar": [NOT_A_FILE]})), "{value}");
        }
        // What a browser sends for a form in which no file was chosen is no value.
        let none_chosen = [part("avatar", "; filename=\"\"", b""), text("gender", "non-binary")];
        let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &none_chosen).await;
        assert_eq!(answer.json()["avatar"], "http://localhost/media/avatars/alex_profile.jpg", "{answer}");
        // A file in another field, and in one that does not exist.
        for (name, expected) in [("first_name", "Not a valid string."), ("gender", "Not a valid string."), ("photo", "Unknown field.")] {
            let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &[part(name, "; filename=\"a.png\"", b"x")]).await;
            assert_eq!(answer.to_string(), format!("400 {}", json!({name: [expected]})));
        }
        for (name, expected) in [("is_staff", "Must be a valid boolean."), ("groups", "A valid integer is required.")] {
            let answer = send(&site, &site.admin, "PATCH", "/api/users/42", &[part(name, "; filename=\"a\"", b"x")]).await;
            assert_eq!(answer.to_string(), format!("400 {}", json!({name: [expected]})));
        }
        // Routes that take no picture do not know the field.
        let answer = send(&site, &site.admin, "POST", "/api/users/groups", &[text("name", "new"), file(&png([1; 3]))]).await;
        assert_eq!(answer.to_string(), r#"400 {"avatar":["Unknown field."]}"#);
        assert_eq!((events(&site).await, files(&site.media).len()), (before, 0));
        assert_eq!(site.me(&site.alex.key).send().await.json()["avatar"], "http://localhost/media/avatars/alex_profile.jpg");
    }
}

both! {
    async fn a_picture_and_other_fields_are_one_change(backend: Backend) {
        let site = Site::start(backend).await;
        let before = events(&site).await;
        // A field that is wrong by itself, and one that only the database knows to be wrong.
        for (name, value, expected) in [
            ("email", "x", "Enter a valid email address."),
            ("username", "staff", "user with this username already exists."),
            ("nickname", "x", "Unknown field."),
        ] {
            let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &[file(&png([1; 3])), text(name, value)]).await;
            assert_eq!(answer.status, 400, "{answer}");
            assert!(answer.json()[name][0].as_str().unwrap().starts_with(&expected[..5]), "{answer}");
            assert_eq!(files(&site.media).len(), 0, "{name}: no file is stored");
        }
        // A bad picture keeps the other fields from being written.
        let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &[text("last_name", "Changed"), file(b"no picture")]).await;
        assert_eq!(answer.status, 400);
        // Only the taken username left an event.
        let changed = events(&site).await - before;
        assert_eq!((changed, site.me(&site.alex.key).send().await.json()["last_name"].clone()), (1, json!("Thompson")));
        let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &[text("last_name", "Changed"), file(&png([1; 3]))]).await;
        assert_eq!((answer.status, &answer.json()["last_name"]), (200, &json!("Changed")));
        assert_eq!(events(&site).await, before + changed + 1, "one event");
        assert_complete(&site.media, &name_of(&answer.json()["avatar"]));
    }
}

both! {
    async fn a_picture_is_removed_by_null_and_by_an_empty_text(backend: Backend) {
        let site = Site::start(backend).await;
        let own = format!("/api/users/{}", site.staff.id);
        for (who, path) in [(&site.staff, "/api/users/me".to_owned()), (&site.admin, own)] {
            for how in 0..4 {
                assert_eq!(upload(&site, &site.staff, [how, 0, 0]).await.status, 200);
                let answer = match how {
                    0 => patch(&site, who, &path, json!({"avatar": null})).await,
                    1 => patch(&site, who, &path, json!({"avatar": ""})).await,
                    2 => send(&site, who, "PATCH", &path, &[text("avatar", "")]).await,
                    _ => site.request("PATCH", &path).token(&who.key).body("application/x-www-form-urlencoded", "avatar=").send().await,
                };
                assert_eq!((answer.status, &answer.json()["avatar"]), (200, &Value::Null), "{how}");
                assert_eq!(site.me(&site.staff.key).send().await.json()["avatar"], Value::Null);
                let before = events(&site).await;
                assert_eq!(patch(&site, who, &path, json!({"avatar": null})).await.status, 200);
                assert_eq!(events(&site).await, before, "there is nothing to remove");
            }
        }
    }
}

both! {
    /// The URL that was read may be sent back, also under another name of the server. Any other text is no file.
    async fn the_url_that_was_read_is_no_change(backend: Backend) {
        let site = Site::start(backend).await;
        upload(&site, &site.alex, [9, 9, 9]).await;
        let url = site.me(&site.alex.key).send().await.json()["avatar"].as_str().unwrap().to_owned();
        let before = events(&site).await;
        for (who, path) in [(&site.alex, "/api/users/me"), (&site.admin, "/api/users/42"), (&site.holder, "/api/users/42")] {
            for url in [url.clone(), url.replace("localhost", "127.0.0.1"), url.replace("http:", "https:")] {
                let answer = patch(&site, who, path, json!({"avatar": url})).await;
                assert_eq!(answer.status, 200, "{answer}");
            }
            for other in [url.replace(".jpg", ".png").replace(".png", ".gif"), "http://localhost/media/".into(), "http://localhost/media/avatars/alex_profile.jpg".into()] {
                assert_eq!(patch(&site, who, path, json!({"avatar": other})).await.to_string(), format!("400 {}", json!({"avatar": [NOT_A_FILE]})));
            }
        }
        // Who may not read the user does not learn by it which picture it is.
        let writer = person(site.directory(), "writer", |draft| {
            draft.is_staff = Some(true);
            draft.permissions = Some(vec![7]);
        }).await;
        for guess in [&url, "http://localhost/media/x.jpg"] {
            assert_eq!(patch(&site, &writer, "/api/users/42", json!({"avatar": guess})).await.status, 400);
        }
        assert_eq!(events(&site).await, before + 2, "the writer was created, and nothing was changed");
    }
}

both! {
    /// Others' pictures, with the rights for others' records. Without them nothing of the body is read.
    async fn pictures_of_others_need_the_rights_for_their_records(backend: Backend) {
        let site = Site::start(backend).await;
        let picture = || file(&png([5, 5, 5]));
        let path = format!("/api/users/{}", site.plain.id);
        for who in [&site.admin, &site.holder] {
            let made = send(&site, who, "POST", "/api/users", &[text("username", &format!("new{}", who.id)), picture()]).await;
            assert_eq!(made.status, 201, "{made}");
            assert_complete(&site.media, &name_of(&made.json()["avatar"]));
            for (method, fields) in [("PATCH", vec![picture()]), ("PUT", vec![text("username", "plain"), picture()])] {
                assert_eq!(send(&site, &site.admin, "PATCH", &path, &[text("avatar", "")]).await.status, 200);
                let answer = send(&site, who, method, &path, &fields).await;
                assert_eq!(answer.status, 200, "{answer}");
                assert_complete(&site.media, &name_of(&answer.json()["avatar"]));
            }
        }
        let before = (events(&site).await, files(&site.media).len());
        let of_admin = format!("/api/users/{}", site.admin.id);
        for (who, method, path, status) in [
            (&site.staff, "PATCH", path.as_str(), 403),
            (&site.staff, "POST", "/api/users", 403),
            (&site.plain, "PATCH", "/api/users/me", 403),
            (&site.inactive, "PATCH", "/api/users/me", 401),
        ] {
            // The body never arrives.
            let request = site.request(method, path).token(&who.key).header("Content-Type", FORM).header("Content-Length", "5000000");
            assert_eq!(request.send().await.status, status, "{method} {path}");
        }
        // Found out by the rehearsal, before a file is written.
        let refused = send(&site, &site.holder, "PATCH", &of_admin, &[picture()]).await;
        assert_eq!(refused.status, 403, "{refused}");
        assert_eq!(send(&site, &site.admin, "PATCH", "/api/users/999999", &[picture()]).await.status, 404);
        let stale = site.request("PATCH", &path).token(&site.admin.key).header("If-Match", "\"x\"").body(FORM, form(&[picture()]));
        assert_eq!(stale.send().await.status, 412);
        assert_eq!((events(&site).await, files(&site.media).len()), before);
    }
}

both! {
    /// A new picture changes the version of a record.
    async fn a_picture_is_part_of_the_version(backend: Backend) {
        let site = Site::start(backend).await;
        let tag = async || site.get("/api/users/42").token(&site.admin.key).send().await.header("etag").unwrap().to_owned();
        let before = tag().await;
        upload(&site, &site.alex, [5, 5, 5]).await;
        assert_ne!(tag().await, before);
        let path = "/api/users/42";
        let request = |tag: &str| site.request("PATCH", path).token(&site.admin.key).header("If-Match", tag).body(FORM, form(&[file(&png([6; 3]))]));
        assert_eq!(request(&before).send().await.status, 412);
        assert_eq!(request(&tag().await).send().await.status, 200);
    }
}

both! {
    /// Only the file of a picture may be large, and only where there may be one.
    async fn the_limits_of_bodies(backend: Backend) {
        let site = Site::start(backend).await;
        let too_large = r#"413 {"detail":"Request body is too large."}"#;
        let of = |size: usize| vec![b'x'; size];
        let most = 5 * 1024 * 1024;
        let me = "/api/users/me";
        let answer = send(&site, &site.alex, "PATCH", me, &[file(&of(most))]).await;
        assert_eq!(answer.status, 400, "it is read, and is no picture: {answer}");
        for (path, method, parts) in [
            (me, "PATCH", vec![file(&of(most + 1))]),
            (me, "PATCH", vec![text("first_name", "x"), file(&of(most + 1))]),
            (me, "PATCH", vec![file(&of(most)), file(&of(most))]),
            (me, "PATCH", vec![part("first_name", "", &of(1024 * 1024 + 1))]),
            (me, "PATCH", vec![part("photo", "; filename=\"a\"", &of(1024 * 1024 + 1))]),
            ("/api/users/groups", "POST", vec![file(&of(1024 * 1024 + 1))]),
            ("/api/users/bulk", "POST", vec![file(&of(1024 * 1024 + 1))]),
            ("/api/users/auth/pwd/signin", "POST", vec![file(&of(17 * 1024))]),
        ] {
            assert_eq!(send(&site, &site.admin, method, path, &parts).await.to_string(), too_large, "{method} {path}");
        }
        for media_type in [JSON, "application/x-www-form-urlencoded"] {
            let large = site.request("PATCH", me).token(&site.alex.key).body(media_type, of(1024 * 1024 + 1));
            assert_eq!(large.send().await.to_string(), too_large, "{media_type}");
        }
        // Without a length it is refused as soon as it is too long.
        let body = form(&[file(&of(most + 1))]);
        let chunks = body.chunks(60_000).fold(Vec::new(), |mut chunks, piece| {
            chunks.extend(format!("{:x}\r\n", piece.len()).into_bytes());
            chunks.extend(piece);
            chunks.extend(b"\r\n");
            chunks
        });
        let request = site.request("PATCH", me).token(&site.alex.key).header("Content-Type", FORM).header("Transfer-Encoding", "chunked");
        assert_eq!(request.raw_body(chunks).send().await.to_string(), too_large);
    }
}

both! {
    /// A large file counts in the memory of all bodies, and gives it back.
    async fn a_file_counts_in_body_memory(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("body_memory", "4MiB")).await;
        let large = vec![b'x'; 4 * 1024 * 1024];
        let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &[file(&large)]).await;
        assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")), "{answer}");
        for color in 0..3 {
            assert_eq!(upload(&site, &site.alex, [color, 0, 0]).await.status, 200);
            assert_eq!(site.app.metrics().body_bytes.get(), 0, "nothing is left in use");
        }
    }
}

both! {
    /// Twenty in an hour for a person, whoever's picture it is and on whichever replica; others are not concerned.
    async fn uploads_are_limited_by_person(backend: Backend) {
        let hour = Duration::from_secs(3600);
        let site = Site::with_directory(backend, |settings| settings.rates.uploads = Some(Rate { requests: 3, window: hour })).await;
        let path = format!("/api/users/{}", site.plain.id);
        assert_eq!(upload(&site, &site.admin, [1; 3]).await.status, 200);
        // What is refused before the picture is looked at does not count; a bad picture does.
        assert_eq!(send(&site, &site.admin, "PATCH", "/api/users/me", &[file(&png([1; 3])), text("email", "x")]).await.status, 400);
        assert_eq!(send(&site, &site.admin, "PATCH", "/api/users/me", &[file(b"no picture")]).await.status, 400);
        assert_eq!(send(&site, &site.admin, "PATCH", &path, &[file(&png([2; 3]))]).await.status, 200);
        let refused = upload(&site, &site.admin, [3; 3]).await;
        assert_eq!(refused.to_string(), r#"429 [retry-after: 3600] {"detail":"Request was throttled. Expected available in 3600 seconds."}"#);
        assert_eq!(patch(&site, &site.admin, "/api/users/me", json!({"first_name": "Other"})).await.status, 200);
        assert_eq!(upload(&site, &site.alex, [3; 3]).await.status, 200);
        // A replica learns of the counts.
        site.directory().share_rates().await.unwrap();
        let mut settings = site.database.settings();
        settings.rates.uploads = Some(Rate { requests: 3, window: hour });
        let directory = wardroom::directory::Directory::open(&settings, site.clock.clone()).await.unwrap();
        let (app, address) = Site::serve_open(directory).await;
        let there = async |color: u8| {
            let request = Request::new(address, "PATCH", "/api/users/me").token(&site.admin.key);
            request.body(FORM, form(&[file(&png([color; 3]))])).send().await.status
        };
        assert_eq!(there(4).await, 200, "it counts by itself until it shares");
        app.directory().share_rates().await.unwrap();
        assert_eq!(there(5).await, 429);
        site.clock.set("2025-09-01T13:00:00Z".parse().unwrap());
        assert_eq!(upload(&site, &site.admin, [3; 3]).await.status, 200);
    }
}

both! {
    /// The store fails: only the upload does, and nothing of it is written.
    async fn a_store_that_fails_concerns_the_upload_alone(backend: Backend) {
        let site = Site::start(backend).await;
        let root = &site.media;
        std::fs::create_dir_all(root).unwrap();
        std::fs::write(root.join("users"), "in the place of the directory").unwrap();
        let before = events(&site).await;
        let answer = send(&site, &site.alex, "PATCH", "/api/users/me", &[file(&png([1; 3])), text("last_name", "Changed")]).await;
        assert_eq!(answer.to_string(), r#"503 [retry-after: 1] {"detail":"Service temporarily unavailable, try again later."}"#);
        let me = site.me(&site.alex.key).send().await.json();
        assert_eq!((&me["last_name"], &me["avatar"]), (&json!("Thompson"), &json!("http://localhost/media/avatars/alex_profile.jpg")));
        assert_eq!(events(&site).await, before);
        assert_eq!(patch(&site, &site.alex, "/api/users/me", json!({"last_name": "Changed"})).await.status, 200);
        let problem = site.request("PATCH", "/api/users/me").token(&site.alex.key).header("Accept", "application/problem+json");
        let problem = problem.body(FORM, form(&[file(&png([1; 3]))])).send().await;
        assert_eq!((problem.status, &problem.json()["code"]), (503, &json!("service_unavailable")), "{problem}");
        std::fs::remove_file(root.join("users")).unwrap();
        assert_eq!(upload(&site, &site.alex, [1; 3]).await.status, 200);
    }
}

both! {
    async fn a_user_has_a_picture_or_initials(backend: Backend) {
        let site = Site::start(backend).await;
        let get = async |path: &str, who: &Persona| site.get(path).token(&who.key).send().await;
        // An imported picture has one size.
        for path in ["/api/users/42/avatar", "/api/users/42/avatar?size=64", "/api/users/me/avatar/"] {
            let answer = get(path, &site.alex).await;
            assert_eq!((answer.status, answer.header("location"), answer.body.as_str()), (302, Some("http://localhost/media/avatars/alex_profile.jpg"), ""), "{path}");
        }
        let url = upload(&site, &site.alex, [1; 3]).await.json()["avatar"].as_str().unwrap().to_owned();
        for (query, expected) in [("", url.clone()), ("?size=64", format!("{url}?size=64")), ("?size=512", format!("{url}?size=512"))] {
            for who in [&site.alex, &site.admin, &site.holder] {
                let answer = get(&format!("/api/users/42/avatar{query}"), who).await;
                assert_eq!((answer.status, answer.header("location")), (302, Some(expected.as_str())), "{query}");
            }
        }
        for bad in ["?size=", "?size=65", "?size=064", "?size=64px", "?size=-64", "?size=%ff"] {
            assert_eq!(get(&format!("/api/users/42/avatar{bad}"), &site.alex).await.status, 404, "{bad}");
            assert_eq!(get(&format!("/api/users/me/avatar{bad}"), &site.staff).await.status, 404, "{bad}");
        }
        let answer = get("/api/users/me/avatar?size=128", &site.staff).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("image/svg+xml")));
        assert_eq!(answer.header("content-security-policy"), Some("default-src 'none'; sandbox"));
        assert_eq!((answer.header("x-content-type-options"), answer.header("cache-control")), (Some("nosniff"), Some("private, no-store")));
        assert!(answer.body.starts_with("<svg ") && answer.body.contains(">S</text>") && answer.body.contains("width=\"128\""), "{answer}");
        assert!(answer.body.contains("role=\"img\" aria-label=\"staff\""), "{answer}");
        assert_eq!(site.me(&site.staff.key).send().await.json()["avatar"], Value::Null, "initials are no avatar");
        // Own pictures need no permission, others' the one to read users.
        assert_eq!(get(&format!("/api/users/{}/avatar", site.plain.id), &site.plain).await.status, 200);
        for (path, who, status) in [("/api/users/42/avatar", &site.plain, 403), ("/api/users/42/avatar", &site.staff, 403), ("/api/users/999999/avatar", &site.staff, 403), ("/api/users/999999/avatar", &site.admin, 404), ("/api/users/me/avatar", &site.plain, 403)] {
            assert_eq!(get(path, who).await.status, status, "{path}");
        }
        assert_eq!(site.get("/api/users/42/avatar").send().await.status, 401);
    }
}

both! {
    /// Pictures are worked on by threads of their own, and only so many wait. Whatever these threads do, the others answer.
    async fn many_uploads_keep_no_one_else_waiting(backend: Backend) {
        let site = Site::with(backend, Flags::default().with("request_timeout", "30m")).await;
        let mut large = Vec::new();
        RgbImage::from_pixel(500, 375, Rgb([9, 9, 9])).write_to(&mut Cursor::new(&mut large), ImageFormat::Png).unwrap();
        let body = form(&[file(&large)]);
        let ended = Arc::new(AtomicUsize::new(0));
        let mut uploads = JoinSet::new();
        for _ in 0..90 {
            let request = site.request("PATCH", "/api/users/me").token(&site.alex.key).body(FORM, body.clone());
            let ended = Arc::clone(&ended);
            uploads.spawn(async move {
                let answer = request.send().await;
                ended.fetch_add(1, Ordering::SeqCst);
                answer
            });
        }
        // Requests that were sent and answered between two ends of uploads: none had to wait for one.
        let mut independent = 0;
        while independent < 10 {
            let before = ended.load(Ordering::SeqCst);
            assert!(before < 90, "{independent} were answered while pictures were worked on");
            assert_eq!(site.me(&site.admin.key).send().await.status, 200);
            independent += usize::from(ended.load(Ordering::SeqCst) == before);
        }
        let (mut done, mut refused) = (0, 0);
        for answer in uploads.join_all().await {
            match answer.status {
                200 => done += 1,
                429 => {
                    assert!(answer.header("retry-after").unwrap().parse::<u64>().unwrap() >= 1);
                    assert!(answer.body.starts_with(r#"{"detail":"Request was throttled. Expected available in "#), "{answer}");
                    refused += 1;
                }
                _ => panic!("{answer}"),
            }
        }
        assert!(done >= 64 && refused > 0, "{done} done, {refused} refused");
    }
}
