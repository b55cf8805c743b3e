//! A database that does not answer and does not refuse: a stopped server, or a network that loses everything.

use std::time::Duration;

use tokio::task::JoinSet;
use wardroom::directory::model::{UserDraft, UserKey};
use wardroom::directory::{Clock, Directory, Settings};

use crate::support::client::Connection;
use crate::support::own_postgres::OwnPostgres;
use crate::support::proxy::Proxy;
use crate::support::site::{operator, person};
use crate::support::{Database, Request, Site};

const CLIENTS: usize = 8;
const ROUNDS: usize = 3;

/// Guards against: with more than one client, most answers were 503. A request waited for the look at the feed that was
/// in progress, and then for its own, which took longer than a request may wait.
#[tokio::test(flavor = "multi_thread")]
async fn a_silent_postgres_is_bridged_for_every_client() {
    let server = OwnPostgres::start().await;
    let proxy = Proxy::to(&server.url()).await;
    let database = Database::at(&proxy.url(&server.url()));
    let clock = Clock::system().unwrap();
    Directory::create(&database.settings(), &clock).await.unwrap();
    let settings = Settings { serve_stale_for: Duration::from_hours(1), ..database.settings() };
    let directory = Directory::open(&settings, clock).await.unwrap();
    let ann = person(&directory, "ann", |draft| draft.is_staff = Some(true)).await;
    let (app, address) = Site::serve_open(directory).await;
    let me = |key: &str| Request::new(address, "GET", "/api/users/me").token(key).send();

    let freeze = || server.freeze();
    let thaw = || server.thaw();
    let lose = || proxy.lose_everything();
    let forward = || proxy.forward_again();
    let silences: [[&dyn Fn(); 2]; 2] = [[&freeze, &thaw], [&lose, &forward]];
    for (number, [begin, end]) in silences.into_iter().enumerate() {
        let staff = |draft: &mut UserDraft| draft.is_staff = Some(true);
        let bob = person(app.directory(), &format!("bob{number}"), staff).await;
        // In memory from here on, and known to be so.
        let mut connections = Vec::new();
        for _ in 0..CLIENTS {
            let mut connection = Connection::to(address).await;
            while connection.get("/api/users/me", &ann.key).await.0 != 200 {}
            connections.push(connection);
        }
        begin();
        let mut clients = JoinSet::new();
        for mut connection in connections {
            let key = ann.key.clone();
            clients.spawn(async move {
                for _ in 0..ROUNDS {
                    let (status, body) = connection.get("/api/users/me", &key).await;
                    assert_eq!(status, 200, "{body}");
                }
            });
        }
        clients.join_all().await;
        // What is not in memory cannot be answered.
        assert_eq!(me(&bob.key).await.status, 503);
        end();
        while me(&bob.key).await.status != 200 {}
        // From then on answers are as fresh as ever.
        for (is_active, status) in [(false, 401), (true, 200)] {
            let draft = UserDraft { is_active: Some(is_active), ..UserDraft::default() };
            let key = UserKey::Id(ann.id.try_into().unwrap());
            app.directory().update_user(&operator(), &key, &draft, None).await.unwrap();
            assert_eq!(me(&ann.key).await.status, status);
        }
    }
}
