//! `wardroom demo`: a server with example people in a directory that is thrown away.
//!
//! Its first person, with id, groups and token, is the one of the documentation of
//! `GET /api/users/me`, so that the documentation's examples work as they stand but for the host.

use std::io::{self, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use clap::Args;

use super::context::settings;
use super::report::{CliError, Report};
use super::serve::{Server, start_logging};
use crate::config::{Config, Flags, ServeFlags};
use crate::directory::model::{Group, GroupId, Timestamp, TokenKey, User, UserDraft, UserId, UserKey};
use crate::directory::tokens::Expiry;
use crate::directory::transfer::import::{ImportedToken, ImportedUser, Records};
use crate::directory::{Actor, Clock, Directory};

/// The token of the documentation's example.
const EXAMPLE_KEY: &str = "f4e75eab6e0f663a972d145478d6fc4b81762070";
const EXAMPLE_ID: i64 = 42;
const EXAMPLE_GROUPS: [(i64, &str); 3] = [(1, "Staff room"), (3, "Billing"), (7, "On call")];

/// The arguments of `wardroom demo`.
#[derive(Args)]
pub(super) struct Demo {
    #[command(flatten)]
    pub(super) settings: ServeFlags,
}

/// Somebody to try the server with.
struct Persona {
    about: &'static str,
    key: TokenKey,
    answer: &'static str,
}

/// Serves the demo until told to stop; whatever else the settings say, it never touches a real directory.
pub(super) async fn run(flags: Flags) -> Result<Report, CliError> {
    let place = tempfile::Builder::new().prefix("wardroom-demo-").tempdir();
    let place =
        place.map_err(|error| CliError::inside(format!("no throw-away directory can be made: {error}")))?;
    let data_dir = place.path().join("data").display().to_string();
    let flags = flags.with("data_dir", data_dir).with("database_url", "");
    let config = Config::load(&flags)?.config;
    serve(config).await
}

async fn serve(config: Config) -> Result<Report, CliError> {
    let _logging = start_logging(&config)?;
    let settings = settings(&config);
    Directory::create(&settings, &Clock::system()?).await?;
    let directory = Directory::open(&settings, Clock::system()?).await?;
    let personas = fill(&directory).await?;
    let server = Server::bind(&config, directory).await?;
    if let Some(address) = server.address() {
        let scheme = if config.tls_key.is_some() { "https" } else { "http" };
        // A terminal that is gone does not keep the demo from running.
        let _ = io::stdout().lock().write_all(invitation(&personas, scheme, address).as_bytes());
    }
    server.run().await?;
    Ok(Report::silent())
}

fn invitation(personas: &[Persona], scheme: &str, mut address: SocketAddr) -> String {
    if address.ip().is_unspecified() {
        address.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    let mut text = String::from(
        "Wardroom demo: example people in a throw-away directory. Try, in another terminal:\n\n",
    );
    for Persona { about, key, answer } in personas {
        let key = key.reveal();
        text += &format!(
            "# {about}: {answer}\ncurl {scheme}://{address}/api/users/me -H 'Authorization: Token {key}'\n\n"
        );
    }
    text + "Ctrl-C stops the demo and removes its directory.\n"
}

/// Makes the example people: the documentation's own, an admin, a plain user, an inactive one, and a
/// staff user with everything empty.
async fn fill(directory: &Directory) -> Result<Vec<Persona>, CliError> {
    let actor = Actor::operator("demo");
    directory.import(&actor, example()?).await?;
    let mut personas = vec![Persona {
        about: "Alex, staff, the example of the documentation",
        key: TokenKey::imported(EXAMPLE_KEY.to_owned()),
        answer: "200",
    }];
    let person = |username: &str, is_staff, is_admin| UserDraft {
        username: Some(username.to_owned()),
        is_staff: Some(is_staff),
        is_admin: Some(is_admin),
        ..UserDraft::default()
    };
    let named = |first: &str, last: &str, draft| UserDraft {
        first_name: Some(first.to_owned()),
        last_name: Some(last.to_owned()),
        ..draft
    };
    let inactive = UserDraft { is_active: Some(false), ..person("ines_inactive", true, false) };
    for (about, draft, answer) in [
        ("Ada, an admin", named("Ada", "Admin", person("ada_admin", false, true)), "200"),
        ("Emil, staff, with every field empty", person("emil_empty", true, false), "200"),
        ("Paul, a plain user", named("Paul", "Plain", person("paul_plain", false, false)), "403"),
        ("Ines, staff, but not active", named("Ines", "Inactive", inactive), "401"),
    ] {
        let user = directory.create_user(&actor, &draft, None).await?;
        let issued = directory.issue_token(&actor, &UserKey::Id(user.id), "demo", Expiry::Never).await?;
        personas.push(Persona { about, key: issued.key, answer });
    }
    Ok(personas)
}

fn example() -> Result<Records, CliError> {
    let wrong =
        |rule: crate::directory::model::Violation| CliError::inside(format!("the example is wrong: {rule}"));
    let created_at: Timestamp = "2024-03-15T09:30:00Z".parse().map_err(wrong)?;
    let id = UserId::try_from(EXAMPLE_ID).map_err(wrong)?;
    let mut groups = Vec::new();
    for (id, name) in EXAMPLE_GROUPS {
        groups.push(Group {
            id: GroupId::try_from(id).map_err(wrong)?,
            name: name.to_owned(),
            notes: String::new(),
            users_count: 0,
            created_at,
            updated_at: created_at,
        });
    }
    let user = User {
        id,
        username: "alex_thompson".to_owned(),
        mobile_number: Some("+1-555-0123".to_owned()),
        email: Some("alex.thompson@techcorp.com".to_owned()),
        avatar: Some("avatars/alex_profile.jpg".to_owned()),
        first_name: "Alex".to_owned(),
        last_name: "Thompson".to_owned(),
        gender: Some("non-binary".to_owned()),
        is_active: true,
        is_staff: true,
        is_admin: false,
        last_login: Some("2025-08-06T14:23:45.123456Z".parse().map_err(wrong)?),
        last_seen_at: None,
        created_at,
        updated_at: created_at,
        groups: groups.iter().map(|group| group.id).collect(),
    };
    let token = ImportedToken {
        user_id: id,
        name: "documentation".to_owned(),
        key: TokenKey::imported(EXAMPLE_KEY.to_owned()),
        created_at,
        expires_at: None,
    };
    Ok(Records { groups, users: vec![ImportedUser { user, password: "!".to_owned() }], tokens: vec![token] })
}
