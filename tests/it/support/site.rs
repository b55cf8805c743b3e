//! A running server with the usual users.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use wardroom::config::{Config, Flags};
use wardroom::directory::model::{Group, Timestamp, TokenKey, User, UserDraft, UserKey};
use wardroom::directory::transfer::seed::{SeedRows, SeedToken, SeedUser};
use wardroom::directory::{Actor, Clock, Directory, Settings};
use wardroom::http::Front;
use wardroom::http::api;
use wardroom::http::app::App;
use wardroom::http::settings::HttpSettings;
use wardroom::media::Media;
use wardroom::outbound::{CallCounter, Door};
use wardroom::server::{self, Limits, Workers};
use wardroom::telemetry::Metrics;

use super::templates::Templates;
use super::{Backend, Database, Request};

/// The token of the example in the documentation.
pub const EXAMPLE_KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";

/// A user to send requests as.
#[derive(Clone)]
pub struct Persona {
    pub id: i64,
    pub key: String,
}

/// A running server.
pub struct Site {
    pub database: Database,
    pub clock: Clock,
    pub app: App,
    pub address: SocketAddr,
    /// Staff: the user of the example in the documentation.
    pub alex: Persona,
    pub admin: Persona,
    /// Staff; every other field is empty.
    pub staff: Persona,
    /// Staff with every permission.
    pub holder: Persona,
    /// Neither staff nor admin.
    pub plain: Persona,
    /// Staff, but not active.
    pub inactive: Persona,
    /// Where its media files are.
    pub media: PathBuf,
    data: Arc<TempDir>,
    stop: Option<oneshot::Sender<()>>,
}

/// A data directory that stays until the tests end.
fn any_data() -> PathBuf {
    tempfile::tempdir().unwrap().keep()
}

/// The configuration of these flags. Without a data directory it is this one.
fn config(flags: Flags, data: &Path) -> Config {
    let load = |flags: &Flags| Config::load_from(flags, &|_| None, Path::new("/nonexistent")).unwrap().config;
    let config = load(&flags);
    if !config.is_default_data_dir() {
        return config;
    }
    load(&flags.with("data_dir", data.to_str().unwrap()))
}

impl Site {
    /// A server with the default settings.
    pub async fn start(backend: Backend) -> Self {
        Self::with(backend, Flags::default()).await
    }

    /// A server with the given settings.
    pub async fn with(backend: Backend, flags: Flags) -> Self {
        Self::set_up(backend, flags, |_| {}).await
    }

    /// A server whose account database has the given settings.
    pub async fn with_directory(backend: Backend, change: impl FnOnce(&mut Settings)) -> Self {
        Self::set_up(backend, Flags::default(), change).await
    }

    /// A server with the given settings, whose account database has these.
    pub async fn with_settings(backend: Backend, flags: Flags, change: impl FnOnce(&mut Settings)) -> Self {
        Self::set_up(backend, flags, change).await
    }

    async fn set_up(backend: Backend, flags: Flags, change: impl FnOnce(&mut Settings)) -> Self {
        let (database, people) = with_the_usual_users(backend).await;
        let clock = clock();
        let mut settings = database.settings();
        change(&mut settings);
        let directory = Directory::open(&settings, clock.clone()).await.unwrap();
        let data = Arc::new(tempfile::tempdir().unwrap());
        let media = config(flags.clone(), data.path()).data_dir.join("media");
        let (app, address, stop) = serve(directory, data.path(), flags).await;
        let stop = Some(stop);
        let [alex, admin, staff, holder, plain, inactive] = people;
        Self { database, clock, app, address, alex, admin, staff, holder, plain, inactive, media, data, stop }
    }

    /// A second server on the same database and the same media files, as a replica has it.
    pub async fn replica(&self) -> SocketAddr {
        let directory = self.database.open(&self.clock).await;
        let (_, address, stop) = serve(directory, self.data.path(), Flags::default()).await;
        // It runs until the test ends.
        std::mem::forget(stop);
        address
    }

    /// A server on a database that was filled elsewhere. It also allows the host of the documentation, and runs until
    /// the test ends.
    pub async fn serve(database: &Database) -> SocketAddr {
        let flags = Flags::default().with("allowed_hosts", "localhost,127.0.0.1,www.example.com");
        let (_, address, stop) =
            serve(database.open(&Clock::system().unwrap()).await, &any_data(), flags).await;
        std::mem::forget(stop);
        address
    }

    /// A server for an open account database. It runs until the test ends.
    pub async fn serve_open(directory: Directory) -> (App, SocketAddr) {
        let (app, address, stop) = serve(directory, &any_data(), Flags::default()).await;
        std::mem::forget(stop);
        (app, address)
    }

    /// The database that it runs on.
    pub fn backend(&self) -> Backend {
        self.database.backend()
    }

    pub fn directory(&self) -> &Directory {
        self.app.directory()
    }

    pub fn request(&self, method: &str, path: &str) -> Request {
        Request::new(self.address, method, path)
    }

    pub fn get(&self, path: &str) -> Request {
        self.request("GET", path)
    }

    /// `GET /api/users/me` with a key.
    pub fn me(&self, key: &str) -> Request {
        self.get("/api/users/me").token(key)
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

pub fn operator() -> Actor {
    Actor::operator("test")
}

/// Creates a user with a token.
pub async fn person(directory: &Directory, name: &str, change: impl FnOnce(&mut UserDraft)) -> Persona {
    let mut draft = UserDraft { username: Some(name.to_owned()), ..UserDraft::default() };
    change(&mut draft);
    let user = directory.create_user(&operator(), &draft, None).await.unwrap();
    let issued = directory
        .issue_token(&operator(), &UserKey::Id(user.id), "test", wardroom::directory::tokens::Expiry::Never)
        .await
        .unwrap();
    Persona { id: user.id.get(), key: issued.key.reveal().to_owned() }
}

pub fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A user as an import creates it, with the given id.
pub fn imported(id: i64, username: &str) -> User {
    let at = moment("2024-03-15T09:30:00Z");
    User { id: id.try_into().unwrap(), is_staff: true, ..User::new(username.into(), at) }
}

pub fn imported_group(id: i64, name: &str) -> Group {
    let at = moment("2024-03-15T09:30:00Z");
    Group {
        id: id.try_into().unwrap(),
        name: name.into(),
        notes: Some(String::new()),
        users_count: 0,
        created_at: at,
        updated_at: at,
    }
}

pub fn imported_token(user_id: i64, key: &str) -> SeedToken {
    SeedToken {
        id: None,
        user_id: user_id.try_into().unwrap(),
        name: "imported".into(),
        key: TokenKey::imported(key.to_owned()),
        created_at: moment("2024-03-15T09:30:00Z"),
        expires_at: None,
    }
}

/// Imports users with one token each.
pub async fn import(directory: &Directory, users: Vec<(User, &str)>) {
    let tokens = users.iter().map(|(user, key)| imported_token(user.id.get(), key)).collect();
    let users = users.into_iter().map(|(user, _)| SeedUser { user, password: "!".into() }).collect();
    directory.seed(&operator(), SeedRows { groups: vec![], users, tokens }).await.unwrap();
}

/// The time of all sites.
fn clock() -> Clock {
    Clock::fixed("2025-09-01T12:00:00Z".parse().unwrap()).unwrap()
}

/// A database with the users of every site, in the order of its fields.
async fn with_the_usual_users(backend: Backend) -> (Database, [Persona; 6]) {
    static USUAL: Templates<[Persona; 6]> = Templates::new();
    let fill = async |place: Database| {
        Directory::create(&place.settings(), &Clock::system().unwrap()).await.unwrap();
        let directory = place.open(&clock()).await;
        let people = [
            import_example(&directory).await,
            person(&directory, "admin", |draft| draft.is_admin = Some(true)).await,
            person(&directory, "staff", |draft| draft.is_staff = Some(true)).await,
            person(&directory, "holder", |draft| {
                draft.is_staff = Some(true);
                draft.permissions = Some((1..=15).collect());
            })
            .await,
            person(&directory, "plain", |_| {}).await,
            person(&directory, "inactive", |draft| {
                draft.is_staff = Some(true);
                draft.is_active = Some(false);
            })
            .await,
        ];
        directory.close().await.unwrap();
        (place, people)
    };
    let (database, people) = USUAL.copy(backend, fill).await;
    (database, people.clone())
}

async fn import_example(directory: &Directory) -> Persona {
    let user = User {
        mobile_number: Some("+1-555-0123".into()),
        email: Some("alex.thompson@techcorp.com".into()),
        avatar: Some("avatars/alex_profile.jpg".into()),
        first_name: "Alex".into(),
        last_name: "Thompson".into(),
        gender: Some("non-binary".into()),
        last_login: Some(moment("2025-08-06T14:23:45.123456Z")),
        groups: [7, 1, 3].into_iter().map(|id| id.try_into().unwrap()).collect(),
        ..imported(42, "alex_thompson")
    };
    let records = SeedRows {
        groups: [(1, "Staff room"), (3, "Billing"), (7, "On call")]
            .map(|(id, name)| imported_group(id, name))
            .into(),
        users: vec![SeedUser { user, password: "!".into() }],
        tokens: vec![imported_token(42, EXAMPLE_KEY)],
    };
    directory.seed(&operator(), records).await.unwrap();
    Persona { id: 42, key: EXAMPLE_KEY.to_owned() }
}

async fn serve(directory: Directory, data: &Path, flags: Flags) -> (App, SocketAddr, oneshot::Sender<()>) {
    let config = config(flags, data);
    // As a server that has run for a while.
    directory.build_list_bitmaps().await.unwrap();
    let door = Door::of(&config, &[], CallCounter::default());
    let media = Media::of(&config, &door).unwrap();
    let app = App::new(directory, media, HttpSettings::from(&config), Metrics::default(), api::resources());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let limits = Limits { drain_timeout: Duration::from_secs(1), ..Limits::from(&config) };
    let shutdown = async move {
        let _ = stopped.await;
    };
    let counts = app.metrics().connections.clone();
    let workers = Arc::new(Workers::start(2).unwrap());
    tokio::spawn(server::serve(listener, None, limits, counts, Front::new(app.clone()), workers, shutdown));
    (app, address, stop)
}
