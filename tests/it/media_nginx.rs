//! The nginx configuration of docs/avatars.md, tried with a real nginx: `scripts/test --judges`.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// A running nginx.
pub struct Nginx(Child);

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Nginx {
    /// Starts one with its files in this place and these lines in the block `http`, and waits until it accepts here.
    pub async fn start(place: &Path, block: &str, here: SocketAddr) -> Self {
        let is_root = Command::new("id").arg("-u").output().unwrap().stdout.starts_with(b"0\n");
        let user = if is_root { "user root;" } else { "" };
        let configuration = format!(
            "{user} daemon off; master_process off; pid nginx.pid; error_log error.log;\nevents {{}}\nhttp {{ access_log off; \
             client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path f; uwsgi_temp_path u; scgi_temp_path s;\n{block}\n}}\n"
        );
        fs::write(place.join("nginx.conf"), configuration).unwrap();
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = Command::new(program)
            .args(["-e", "error.log", "-p", place.to_str().unwrap(), "-c", "nginx.conf"])
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx, from Debian's package nginx-light");
        let mut nginx = Self(child);
        while std::net::TcpStream::connect(here).is_err() {
            let log = || fs::read_to_string(place.join("error.log")).unwrap_or_default();
            assert!(nginx.0.try_wait().unwrap().is_none(), "{}", log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        nginx
    }
}

mod judges {
    use wardroom::media::storage::Storage;

    use super::*;
    use crate::support::client::exchange;
    use crate::support::{Answer, Backend, Site, free_address};

    /// The block of the document, with its paths and addresses replaced.
    fn configuration(data: &Path, here: SocketAddr, there: SocketAddr) -> String {
        let text = include_str!("../../docs/avatars.md");
        let block = text.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
        for expected in ["/var/lib/wardroom", "127.0.0.1:8080", "127.0.0.1:8000"] {
            assert_eq!(block.matches(expected).count(), 1, "{expected}");
        }
        let block = block.replace("/var/lib/wardroom", data.to_str().unwrap());
        block.replace("127.0.0.1:8080", &here.to_string()).replace("127.0.0.1:8000", &there.to_string())
    }

    async fn get(address: SocketAddr, target: &str) -> Answer {
        let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        Answer::parse(&exchange(address, request.as_bytes()).await)
    }

    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "scripts/test --judges installs nginx"]
    async fn nginx_serves_uploads_as_documented() {
        let site = Site::start(Backend::Sqlite).await;
        let (data, hash) = (site.media.parent().unwrap(), "0123456789abcdef0123456789abcdef01234567");
        let storage = Storage::disk(site.media.clone());
        for (name, content) in [
            (format!("users/avatars/{hash}.jpg"), "full"),
            (format!("users/avatars/{hash}.64.jpg"), "small"),
            ("avatars/old.jpg".to_owned(), "\u{fffd} imported"),
        ] {
            storage.put(&name, content.into()).await.unwrap();
        }
        let place = tempfile::tempdir().unwrap();
        let here = free_address();
        let _nginx = Nginx::start(place.path(), &configuration(data, here, site.address), here).await;
        let path = format!("/media/users/avatars/{hash}.jpg");
        let (direct, full) = (get(site.address, &path).await, get(here, &path).await);
        assert_eq!((full.status, full.body.as_str()), (200, "full"), "{full}");
        for name in [
            "content-type",
            "cache-control",
            "x-content-type-options",
            "content-security-policy",
            "cross-origin-resource-policy",
            "access-control-allow-origin",
        ] {
            assert_eq!(full.header(name), direct.header(name), "{name}");
        }
        assert!(
            full.header("server").is_some_and(|server| server.contains("nginx")),
            "nginx answers it: {full}"
        );
        assert!(full.header("x-request-id").is_none(), "and does not pass it on: {full}");
        for (target, status, body) in [
            (format!("{path}?size=64"), 200, "small"),
            (format!("/media/users/avatars/{hash}.64.jpg"), 200, "small"),
            (format!("{path}?size=65"), 404, ""),
            (format!("{path}?size=512"), 404, ""),
            ("/media/users/avatars/../../wardroom.db".to_owned(), 404, ""),
            ("/media/avatars/old.jpg".to_owned(), 200, "imported"),
        ] {
            let answer = get(here, &target).await;
            assert_eq!(answer.status, status, "{target}");
            assert!(answer.body.contains(body), "{target}");
        }
        let me = format!(
            "GET /api/users/me HTTP/1.1\r\nHost: localhost\r\nAuthorization: Token {}\r\nConnection: close\r\n\r\n",
            site.alex.key
        );
        assert_eq!(Answer::parse(&exchange(here, me.as_bytes()).await).status, 200);
    }
}
