//! Avatars in a bucket. `judges` is a real SeaweedFS: `scripts/test --judges`. It checks signatures, which common mocks do not.
//! The other tests need no service: one that is silent, or refuses.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wardroom::config::Flags;

use crate::avatars::{FORM, file, form, png};
use crate::support::{Answer, Backend, Site, both, free_address};

const KEY: &str = "wardroom";
const SECRET: &str = "correct-horse-battery-staple";
const BUCKET: &str = "pictures";

/// A file with a secret.
fn secret_file(place: &Path, secret: &str) -> PathBuf {
    let path = place.join("secret");
    fs::write(&path, format!("{secret}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn flags(endpoint: &str, secret: &Path) -> Flags {
    Flags::default()
        .with("avatar_storage", "s3")
        .with("s3_endpoint", endpoint)
        .with("s3_bucket", BUCKET)
        .with("s3_access_key", KEY)
        .with("s3_secret_key_file", secret.display().to_string())
}

async fn upload(site: &Site, color: [u8; 3]) -> Answer {
    let body = form(&[file(&png(color))]);
    site.request("PATCH", "/api/users/me").token(&site.alex.key).body(FORM, body).send().await
}

/// A listener that accepts and never answers.
struct BlackHole {
    address: String,
    _listener: std::sync::Arc<TcpListener>,
}

impl BlackHole {
    fn open() -> Self {
        let listener = std::sync::Arc::new(TcpListener::bind("127.0.0.1:0").unwrap());
        let address = format!("http://{}", listener.local_addr().unwrap());
        let accepting = std::sync::Arc::clone(&listener);
        std::thread::spawn(move || {
            let mut held = Vec::new();
            while let Ok((stream, _)) = accepting.accept() {
                held.push(stream);
            }
        });
        Self { address, _listener: listener }
    }
}

both! {
    /// A service that is silent or gone costs uploads and pictures a 503 in bounded time, and nothing else anything.
    async fn a_silent_or_missing_service_is_a_503_for_uploads_only(backend: Backend) {
        let place = tempfile::tempdir().unwrap();
        let (secret, hole) = (secret_file(place.path(), SECRET), BlackHole::open());
        let closed = free_address();
        for endpoint in [hole.address.clone(), format!("http://{closed}"), hole.address.replace("http:", "https:")] {
            let site = Site::with(backend, flags(&endpoint, &secret).with("s3_timeout", "300ms")).await;
            let picture = format!("/media/users/avatars/{:040}.jpg", 1);
            let (uploaded, shown, me) = tokio::join!(
                upload(&site, [1, 2, 3]), site.get(&picture).send(), site.me(&site.alex.key).send()
            );
            for answer in [&uploaded, &shown] {
                assert_eq!(answer.status, 503, "{answer}");
                assert_eq!(answer.json()["detail"], "Service temporarily unavailable, try again later.", "{answer}");
                assert!(answer.header("retry-after").is_some(), "{answer}");
            }
            assert_eq!((me.status, &me.json()["avatar"]), (200, &"http://localhost/media/avatars/alex_profile.jpg".into()));
            let body = form(&[b"--b\r\nContent-Disposition: form-data; name=\"first_name\"\r\n\r\nAlexa\r\n".to_vec()]);
            let other = site.request("PATCH", "/api/users/me").token(&site.alex.key).body(FORM, body).send().await;
            assert_eq!((other.status, &other.json()["first_name"]), (200, &"Alexa".into()), "a form without a file");
        }
    }
}

both! {
    /// A redirect would carry requests to a place that no setting names.
    async fn redirects_are_not_followed(backend: Backend) {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let place = tempfile::tempdir().unwrap();
    let secret = secret_file(place.path(), SECRET);
    let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (here, there) = (listener.local_addr().unwrap(), target.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut bytes = vec![0; 65_536];
            let _ = stream.read(&mut bytes).await;
            let answer = format!(
                "HTTP/1.1 307 Temporary Redirect\r\nLocation: http://{there}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    let site = Site::with(backend, flags(&format!("http://{here}"), &secret).with("s3_timeout", "2s")).await;
    let answer = site.get(&format!("/media/users/avatars/{:040}.jpg", 1)).send().await;
    assert_eq!(answer.status, 503, "{answer}");
    let reached = futures_util::FutureExt::now_or_never(target.accept());
    assert!(reached.is_none(), "the redirect was followed");
    }
}

/// A service that reads each request, refuses a PUT with this status and body, and knows no file.
async fn full_service(status: &'static str, body: &'static str) -> SocketAddr {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut bytes = vec![0; 65_536];
                let read = stream.read(&mut bytes).await.unwrap_or(0);
                let (status, body) = match bytes[..read].starts_with(b"PUT ") {
                    true => (status, body),
                    false => ("404 Not Found", "<Error><Code>NoSuchKey</Code></Error>"),
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).await;
                // The rest of the request is read, so that the answer is not lost with it.
                let _ = stream.shutdown().await;
                while stream.read(&mut bytes).await.is_ok_and(|read| read > 0) {}
            });
        }
    });
    address
}

both! {
    /// A bucket without room costs uploads a 503, whatever words the service has for it. The old picture stays.
    async fn a_full_bucket_is_a_503_for_uploads_only(backend: Backend) {
        let place = tempfile::tempdir().unwrap();
        let secret = secret_file(place.path(), SECRET);
        for (status, body) in [
            ("507 Insufficient Storage", "<Error><Code>XMinioStorageFull</Code></Error>"),
            ("403 Forbidden", "<Error><Code>QuotaExceeded</Code></Error>"),
            ("400 Bad Request", "<Error><Code>EntityTooLarge</Code></Error>"),
        ] {
            let service = full_service(status, body).await;
            let site = Site::with(backend, flags(&format!("http://{service}"), &secret).with("s3_timeout", "2s")).await;
            let (uploaded, me) = (upload(&site, [1, 2, 3]).await, site.me(&site.alex.key).send().await);
            assert_eq!(uploaded.status, 503, "{status}: {uploaded}");
            assert!(uploaded.header("retry-after").is_some() && !uploaded.body.contains("Error"), "{uploaded}");
            assert_eq!((me.status, &me.json()["avatar"]), (200, &"http://localhost/media/avatars/alex_profile.jpg".into()));
        }
    }
}

/// A running SeaweedFS with one bucket.
struct SeaweedFs {
    child: std::process::Child,
    endpoint: String,
    place: TempDir,
}

impl Drop for SeaweedFs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl SeaweedFs {
    /// Starts it, and creates the bucket. Another process may take a port meanwhile: then others are tried.
    fn start() -> Self {
        for _ in 0..5 {
            if let Some(started) = Self::try_start() {
                return started;
            }
        }
        panic!("SeaweedFS did not start");
    }

    fn try_start() -> Option<Self> {
        let weed = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/judges/venv/bin/weed");
        assert!(weed.exists(), "{} is missing: run scripts/test --judges", weed.display());
        let place = tempfile::tempdir().unwrap();
        let settings = place.path().join("s3.json");
        let identity = serde_json::json!({ "identities": [{
            "name": "wardroom", "actions": ["Admin", "Read", "Write", "List", "Tagging"],
            "credentials": [{ "accessKey": KEY, "secretKey": SECRET }],
        }] });
        fs::write(&settings, identity.to_string()).unwrap();
        let data = place.path().join("data");
        fs::create_dir(&data).unwrap();
        let [master, master_rpc, volume, volume_rpc, filer, filer_rpc, s3, s3_rpc] =
            [(); 8].map(|()| free_address().port());
        let log = fs::File::create(place.path().join("log")).unwrap();
        let child = std::process::Command::new(weed)
            .args(["server", "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-volume.max=20"])
            .arg("-master.volumeSizeLimitMB=64")
            // Services with fixed ports, which only one of several servers gets; the others then end.
            .args(["-s3.port.iceberg=0", "-s3.port.lance=0", "-master.telemetry=false"])
            .arg(format!("-dir={}", data.display()))
            .arg(format!("-s3.config={}", settings.display()))
            .arg(format!("-filer.localSocket={}", place.path().join("filer.sock").display()))
            .arg(format!("-s3.localSocket={}", place.path().join("s3.sock").display()))
            .args([
                format!("-master.port={master}"),
                format!("-master.port.grpc={master_rpc}"),
                format!("-volume.port={volume}"),
                format!("-volume.port.grpc={volume_rpc}"),
                format!("-filer.port={filer}"),
                format!("-filer.port.grpc={filer_rpc}"),
                format!("-s3.port={s3}"),
                format!("-s3.port.grpc={s3_rpc}"),
            ])
            .stdin(std::process::Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut started = Self { child, endpoint: format!("http://127.0.0.1:{s3}"), place };
        while started.child.try_wait().unwrap().is_none() {
            if started.curl("PUT", BUCKET, SECRET) == "200" {
                return Some(started);
            }
            std::thread::sleep(Duration::from_millis(200));
        }
        None
    }

    /// Sends a signed request without a body with curl, and returns the status.
    fn curl(&self, method: &str, path: &str, secret: &str) -> String {
        let output = std::process::Command::new("curl")
            .args([
                "-s",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code}",
                "--aws-sigv4",
                "aws:amz:us-east-1:s3",
                "-X",
                method,
            ])
            .args(["-u", &format!("{KEY}:{secret}"), &format!("{}/{path}", self.endpoint)])
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap()
    }

    fn secret(&self, secret: &str) -> PathBuf {
        secret_file(self.place.path(), secret)
    }
}

mod judges {
    use wardroom::jobs::media::sweep;
    use wardroom::media::storage::{AvatarFile, Storage};
    use wardroom::outbound::{CallCounter, Door};

    use super::*;
    use crate::media_nginx::Nginx;
    use crate::support::Request;
    use crate::support::client::exchange;

    fn path_of(answer: &Answer) -> String {
        answer.json()["avatar"].as_str().unwrap().strip_prefix("http://localhost").unwrap().to_owned()
    }

    fn config(flags: &Flags) -> wardroom::config::Config {
        wardroom::config::Config::load_from(flags, &|_| None, Path::new("/nonexistent")).unwrap().config
    }

    fn storage(flags: &Flags) -> Storage {
        let config = config(flags);
        Storage::of(&config, &Door::of(&config, &[], CallCounter::default())).unwrap()
    }

    async fn on(backend: Backend, weed: &SeaweedFs) {
        let flags = flags(&weed.endpoint, &weed.secret(SECRET));
        let site = Site::with(backend, flags.clone()).await;
        let other = Site::with(backend, flags.clone()).await;
        let uploaded = upload(&site, [10, 20, 30]).await;
        assert_eq!(uploaded.status, 200, "{uploaded}");
        let path = path_of(&uploaded);
        // Another server with the same bucket has it at once, in every size, and has never seen it.
        for size in ["", "?size=64", "?size=128", "?size=256", "?size=512"] {
            let shown = Request::new(other.address, "HEAD", &format!("{path}{size}")).send().await;
            assert_eq!(
                (shown.status, shown.header("content-type")),
                (200, Some("image/jpeg")),
                "{size} {shown}"
            );
        }
        assert!(!site.media.exists(), "nothing is on the disk");
        let name = path.strip_prefix("/media/").unwrap();
        let storage = storage(&flags);
        let stored = storage.list("users/avatars").await.unwrap();
        let family = AvatarFile::parse(name).unwrap().family();
        assert!(family.iter().all(|file| stored.iter().any(|found| found.name == *file)), "{stored:?}");
        // A second picture, and the first is removed after the grace.
        assert_eq!(upload(&site, [30, 20, 10]).await.status, 200);
        let grace = Duration::from_hours(24);
        assert_eq!(sweep(site.directory(), &storage, grace).await.unwrap(), 0);
        site.database.sql("UPDATE unreferenced_media SET since = since - 90000000000").await;
        assert!(sweep(site.directory(), &storage, grace).await.unwrap() >= 1);
        assert_eq!(storage.get(name).await.unwrap(), None);
        imported_files(&site, &storage).await;
        let again = path_of(&site.me(&site.alex.key).send().await);
        let shown = site.request("HEAD", &again).send().await;
        assert!(shown.status == 200 && shown.header("content-length") != Some("0"), "{shown}");
    }

    /// Files that were not uploaded here are read from the bucket part by part.
    async fn imported_files(site: &Site, storage: &Storage) {
        let large: Vec<u8> = b"\xff\xd8\xff"
            .iter()
            .copied()
            .chain((0..900_000_u32).map(|number| (number % 251) as u8))
            .collect();
        for (name, content) in [
            ("avatars/large.jpg", &large[..]),
            ("avatars/small.jpg", b"\xff\xd8\xff\xe0"),
            ("avatars/empty.jpg", b""),
        ] {
            storage.put(name, bytes::Bytes::copy_from_slice(content)).await.unwrap();
            let get = |more: String| {
                let request = format!(
                    "GET /media/{name} HTTP/1.1\r\nHost: localhost\r\n{more}Connection: close\r\n\r\n"
                );
                async move { exchange(site.address, request.as_bytes()).await }
            };
            let whole = get(String::new()).await;
            let at = whole.windows(4).position(|four| four == b"\r\n\r\n").unwrap() + 4;
            let head = String::from_utf8(whole[..at].to_vec()).unwrap();
            assert!(head.starts_with("HTTP/1.1 200 ") && whole[at..] == *content, "{name}: {head}");
            assert!(head.contains(&format!("content-length: {}\r\n", content.len())), "{head}");
            let tag = head.split_once("etag: ").unwrap().1.split_once('\r').unwrap().0;
            let same = get(format!("If-None-Match: {tag}\r\n")).await;
            assert!(same.starts_with(b"HTTP/1.1 304 "), "{name}");
        }
    }

    /// The bucket behind TLS with a certificate of its own authority: with this authority it is used, without it not.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "scripts/test --judges installs SeaweedFS and nginx"]
    async fn the_authority_of_the_service_is_a_setting() {
        let weed = tokio::task::spawn_blocking(SeaweedFs::start).await.unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let place = tempfile::tempdir().unwrap();
        let path = |name: &str| place.path().join(name);
        for (name, text) in [
            ("cert.pem", made.cert.pem()),
            ("key.pem", made.signing_key.serialize_pem()),
            ("other.pem", other.cert.pem()),
        ] {
            fs::write(path(name), text).unwrap();
        }
        let here = free_address();
        let block = format!(
            "server {{ listen {here} ssl; ssl_certificate cert.pem; ssl_certificate_key key.pem;\n\
             location / {{ proxy_pass {}; proxy_set_header Host $http_host; }} }}",
            weed.endpoint
        );
        let _nginx = Nginx::start(place.path(), &block, here).await;
        let endpoint = format!("https://localhost:{}", here.port());
        for (authority, status) in [("cert.pem", 200), ("other.pem", 503)] {
            let flags = flags(&endpoint, &weed.secret(SECRET))
                .with("s3_ca_file", path(authority).display().to_string());
            let site = Site::with(Backend::Sqlite, flags).await;
            let uploaded = upload(&site, [5, 6, 7]).await;
            assert_eq!(uploaded.status, status, "{authority}: {uploaded}");
            if status == 200 {
                assert_eq!(site.request("HEAD", &path_of(&uploaded)).send().await.status, 200);
            }
        }
    }

    /// Two servers with one bucket; signatures are checked by the service.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "scripts/test --judges installs SeaweedFS"]
    async fn seaweedfs_keeps_avatars_for_all_replicas_and_refuses_a_wrong_secret() {
        let weed = tokio::task::spawn_blocking(SeaweedFs::start).await.unwrap();
        assert_eq!(weed.curl("GET", BUCKET, "wrong"), "403", "the judge checks signatures");
        for backend in [Backend::Sqlite, Backend::Postgres] {
            on(backend, &weed).await;
            let wrong = weed.secret("wrong");
            let site = Site::with(backend, flags(&weed.endpoint, &wrong)).await;
            let refused = upload(&site, [1, 1, 1]).await;
            assert_eq!(refused.status, 503, "{refused}");
            assert!(!refused.body.contains("Signature"), "{refused}");
            let me = site.me(&site.alex.key).send().await;
            assert_eq!(
                (me.status, &me.json()["avatar"]),
                (200, &"http://localhost/media/avatars/alex_profile.jpg".into())
            );
        }
    }

    /// A move to the bucket and back, with a part that was there already, and the removal of the source.
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "scripts/test --judges installs SeaweedFS"]
    async fn media_move_copies_to_the_bucket_and_back() {
        let weed = tokio::task::spawn_blocking(SeaweedFs::start).await.unwrap();
        let database = crate::support::Database::new(Backend::Sqlite).await;
        let data = match &database.location {
            wardroom::directory::Location::Sqlite(data) => data.clone(),
            wardroom::directory::Location::Postgres(_) => unreachable!(),
        };
        let secret = weed.secret(SECRET);
        let run = |storage: &str, arguments: &[&str]| {
            let output = std::process::Command::new(env!("CARGO_BIN_EXE_wardroom"))
                .args([
                    "--data-dir",
                    data.to_str().unwrap(),
                    "--s3-bucket",
                    BUCKET,
                    "--s3-endpoint",
                    &weed.endpoint,
                ])
                .args(["--s3-access-key", KEY, "--s3-secret-key-file", secret.to_str().unwrap()])
                .args(["--avatar-storage", storage, "--json", "media"])
                .args(arguments)
                .output()
                .unwrap();
            let text = if output.status.success() { &output.stdout } else { &output.stderr };
            let json: serde_json::Value = serde_json::from_slice(text).unwrap_or_default();
            (output.status.code(), json, String::from_utf8(text.clone()).unwrap())
        };
        let disk = Storage::disk(data.join("media"));
        let names: Vec<_> = (0..30).map(|number| format!("users/avatars/{number:040}.png")).collect();
        for name in names.iter().map(String::as_str).chain(["avatars/old picture é.jpg"]) {
            disk.put(name, bytes::Bytes::copy_from_slice(name.as_bytes())).await.unwrap();
        }
        let settings = flags(&weed.endpoint, &secret);
        let bucket = storage(&settings);
        bucket.put(&names[3], bytes::Bytes::copy_from_slice(names[3].as_bytes())).await.unwrap();
        bucket.put(&names[4], bytes::Bytes::copy_from_slice(names[5].as_bytes())).await.unwrap();
        let counts = |json: &serde_json::Value| {
            ["copied", "already_there", "removed"].map(|key| json[key].as_u64().unwrap())
        };
        let (code, json, text) = run("disk", &["move", "--to", "s3"]);
        assert_eq!((code, counts(&json)), (Some(0), [30, 1, 0]), "{text}");
        assert_eq!(
            bucket.get(&names[4]).await.unwrap().unwrap(),
            names[4],
            "other content of the same size was replaced"
        );
        assert_eq!(
            bucket.get("avatars/old picture é.jpg").await.unwrap().unwrap(),
            "avatars/old picture é.jpg"
        );
        let (code, json, text) = run("disk", &["move", "--to", "s3"]);
        assert_eq!((code, counts(&json)), (Some(0), [0, 31, 0]), "{text}");
        let (code, _, text) = run("disk", &["move", "--to", "s3", "--remove-source"]);
        assert!(code == Some(2) && text.contains("set avatar_storage to s3"), "{text}");
        assert_eq!(disk.list("").await.unwrap().len(), 31, "nothing changed at the source");
        let (code, json, text) = run("s3", &["move", "--to", "s3", "--remove-source"]);
        assert_eq!((code, counts(&json)), (Some(0), [0, 31, 31]), "{text}");
        assert_eq!(disk.list("").await.unwrap(), []);
        let (code, json, text) = run("s3", &["move", "--to", "disk"]);
        assert_eq!((code, counts(&json)), (Some(0), [31, 0, 0]), "{text}");
        assert_eq!(disk.list("").await.unwrap(), bucket.list("").await.unwrap());
        let (code, json, text) = run("s3", &["check"]);
        assert_eq!(
            (code, json["files"].as_u64(), json["missing"].as_array().map(Vec::len)),
            (Some(0), Some(31), Some(0)),
            "{text}"
        );
        // Killed in the middle and begun again: every file is there, whole.
        let more: Vec<_> = (100..400).map(|number| format!("users/avatars/{number:040}.jpg")).collect();
        for name in &more {
            disk.put(name, bytes::Bytes::copy_from_slice(name.as_bytes())).await.unwrap();
        }
        let mut killed = std::process::Command::new(env!("CARGO_BIN_EXE_wardroom"))
            .args([
                "--data-dir",
                data.to_str().unwrap(),
                "--s3-bucket",
                BUCKET,
                "--s3-endpoint",
                &weed.endpoint,
            ])
            .args([
                "--s3-access-key",
                KEY,
                "--s3-secret-key-file",
                secret.to_str().unwrap(),
                "media",
                "move",
                "--to",
                "s3",
            ])
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        while bucket.list("").await.unwrap().len() < 40 {
            assert!(killed.try_wait().unwrap().is_none(), "it ended before it was killed");
        }
        killed.kill().unwrap();
        killed.wait().unwrap();
        let there = bucket.list("").await.unwrap().len();
        assert!((40..331).contains(&there), "killed too late: {there}");
        let (code, json, text) = run("disk", &["move", "--to", "s3"]);
        let [copied, already_there, _] = counts(&json);
        assert_eq!((code, copied + already_there), (Some(0), 331), "{text}");
        assert!(copied > 0 && already_there >= there as u64, "{text}");
        for name in &more {
            assert_eq!(bucket.get(name).await.unwrap().unwrap(), name.as_bytes());
        }
        // A bucket that is not there is named.
        let started = Instant::now();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_wardroom"))
            .args([
                "--data-dir",
                data.to_str().unwrap(),
                "--s3-bucket",
                "no-such-bucket",
                "--s3-endpoint",
                &weed.endpoint,
            ])
            .args([
                "--s3-access-key",
                KEY,
                "--s3-secret-key-file",
                secret.to_str().unwrap(),
                "media",
                "move",
                "--to",
                "s3",
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(
            output.status.code() == Some(5) && said.contains("no-such-bucket"),
            "{said} {:?}",
            started.elapsed()
        );
    }
}
