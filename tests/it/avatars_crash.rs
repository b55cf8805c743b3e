//! A process that is killed at any moment of an upload: the user has the old picture or the new one, with all files.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::task::JoinSet;
use wardroom::directory::Clock;

use crate::avatars::{FORM, complete, file, form, png};
use crate::process::serve;
use crate::support::site::{Persona, person};
use crate::support::{Answer, Backend, Database, both};

/// How often the process is killed.
const KILLS: u64 = 10;
/// Users who upload at the same time.
const USERS: u8 = 3;

/// Uploads one picture after the other until the server is gone. Counts those that were acknowledged.
async fn upload(address: std::net::SocketAddr, who: Persona, user: u8, round: u8, done: Arc<AtomicU64>) {
    for number in 0..u8::MAX {
        let body = form(&[file(&png([user, round, number]))]);
        let head = format!(
            "PATCH /api/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Token {}\r\n\
             Content-Type: {FORM}\r\nContent-Length: {}\r\n\r\n",
            who.key,
            body.len()
        );
        let Some(answer) = exchange(address, &[head.as_bytes(), &body].concat()).await else { return };
        // A busy machine may take longer than a request may wait. Nothing was acknowledged then.
        if answer.status == 503 {
            continue;
        }
        assert_eq!(answer.status, 200, "{answer}");
        done.fetch_add(1, Ordering::SeqCst);
    }
}

/// Sends a request; `None` if the server went away before it answered.
async fn exchange(address: std::net::SocketAddr, bytes: &[u8]) -> Option<Answer> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(address).await.ok()?;
    stream.write_all(bytes).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    answer.windows(4).any(|end| end == b"\r\n\r\n").then(|| Answer::parse(&answer))
}

both! {
    async fn a_killed_server_leaves_the_old_picture_or_the_new_one(backend: Backend) {
        let database = Database::new(backend).await;
        let data = database.place().join("data");
        let directory = database.open(&Clock::system().unwrap()).await;
        let mut people = Vec::new();
        for name in 0..USERS {
            people.push(person(&directory, &format!("user{name}"), |draft| draft.is_staff = Some(true)).await);
        }
        drop(directory);
        let done = Arc::new(AtomicU64::new(0));
        for round in 0..KILLS {
            let mut arguments = vec!["--avatar-uploads-per-hour", "0", "--access-log", "none"];
            if backend == Backend::Postgres {
                arguments.extend(["--data-dir", data.to_str().unwrap()]);
            }
            let mut process = serve(&database, &arguments);
            let address = process.address("listening");
            let before = done.load(Ordering::SeqCst);
            let mut uploads = JoinSet::new();
            for (user, who) in people.iter().enumerate() {
                let (user, round) = (u8::try_from(user).unwrap(), u8::try_from(round).unwrap());
                uploads.spawn(upload(address, who.clone(), user, round, Arc::clone(&done)));
            }
            // At another moment of an upload each time.
            while done.load(Ordering::SeqCst) <= before + round % 3 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            tokio::time::sleep(Duration::from_micros(round * 1_700)).await;
            process.signal("-KILL");
            process.end();
            uploads.join_all().await;
            let names = database.texts("SELECT avatar FROM users WHERE avatar IS NOT NULL").await;
            assert!(round == 0 || !names.is_empty());
            for name in names {
                assert!(complete(&data.join("media"), &name), "round {round}: {name} lacks files");
            }
        }
        assert!(done.load(Ordering::SeqCst) >= KILLS);
    }
}
