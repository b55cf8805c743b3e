//! The commands, as an operator runs them: without a server, on both databases, in both output formats.

use assert_cmd::Command;
use serde_json::Value;

use crate::support::{Backend, Database, Site, both};

/// The output and the exit code of a command.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

fn wardroom(args: &[&str], stdin: &str) -> Ran {
    let mut command = Command::cargo_bin("wardroom").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WARDROOM_")) {
        command.env_remove(name);
    }
    let output = command.args(args).write_stdin(stdin).output().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Runs a command on a test's database.
pub fn on(database: &Database, args: &[&str], stdin: &str) -> Ran {
    let place = database.args();
    let args: Vec<&str> = place.iter().map(String::as_str).chain(args.iter().copied()).collect();
    let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
    let stdin = stdin.to_owned();
    // The child process connects to PostgreSQL itself. Blocking here is what a shell does, too.
    tokio::task::block_in_place(|| wardroom(&args.iter().map(String::as_str).collect::<Vec<_>>(), &stdin))
}

both! {
    async fn an_operator_s_first_hour(backend: Backend) {
        let database = Database::empty(backend).await;
        let run = |args: &[&str]| {
            let ran = on(&database, args, "");
            assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
            ran
        };
        assert!(run(&["init"]).out.contains("user add NAME --admin"));
        assert_eq!(run(&["user", "add", "root", "--admin"]).out, "Added user 1 (root).\n");
        run(&["user", "add", "ann", "--staff", "--email", "ann@example.com", "--first-name", "Ann", "--gender", "female"]);
        let shown = run(&["user", "show", "ann", "--json"]).json();
        assert_eq!((&shown["email"], &shown["is_staff"], &shown["groups"]), (&"ann@example.com".into(), &true.into(), &Value::Array(vec![])));
        run(&["user", "edit", "2", "--last-name", "Lee", "--email", ""]);
        assert_eq!(run(&["user", "show", "2", "--json"]).json()["email"], Value::Null);
        assert!(run(&["user", "show", "id:2"]).out.contains("full name      Ann Lee\n"));
        assert_eq!(run(&["group", "add", "Billing", "--notes", "money"]).out, "Added group 1 (Billing).\n");
        assert_eq!(run(&["group", "add-member", "Billing", "ann"]).out, "1 of 1 joined Billing (1 members now).\n");
        assert_eq!(run(&["group", "add-member", "1", "2", "--json"]).json()["changed"], Value::Array(vec![]));
        assert_eq!(run(&["group", "list", "--json"]).json()[0]["users_count"], 1);
        run(&["group", "edit", "Billing", "--name", "Accounts"]);
        run(&["group", "remove-member", "Accounts", "ann"]);
        assert!(run(&["group", "delete", "Accounts", "--yes"]).out.starts_with("Deleted group 1 (Accounts).\n"));
        let issued = run(&["token", "issue", "ann", "--name", "laptop", "--expires-in", "90d", "--json"]).json();
        assert!(issued["key"].as_str().unwrap().starts_with("wrd_"));
        let listed = run(&["token", "list", "ann", "--json"]).json();
        assert_eq!((&listed[0]["state"], listed[0].get("key")), (&"active".into(), None));
        run(&["token", "revoke", &issued["id"].to_string()]);
        assert!(run(&["token", "list", "ann"]).out.contains("  revoked  "));
        run(&["user", "disable", "ann"]);
        assert!(run(&["user", "list", "--active", "false"]).out.contains("staff,inactive"));
        run(&["user", "enable", "ann"]);
        assert_eq!(on(&database, &["user", "set-password", "ann", "--password-stdin"], "a long enough password\n").code, 0);
        assert!(run(&["audit", "list", "--action", "token.revoke"]).out.contains("laptop"));
        let head = run(&["audit", "verify", "--json"]).json()["head"].as_str().unwrap().to_owned();
        run(&["user", "delete", "ann", "--yes"]);
        assert!(run(&["audit", "verify", "--expect-head", &head]).out.starts_with("All "));
        let exported = run(&["audit", "export"]).out;
        let last: Value = serde_json::from_str(exported.lines().last().unwrap()).unwrap();
        assert_eq!((&last["action"], &last["previous_hash"]), (&"user.delete".into(), &head.as_str().into()));
        let after = last["id"].to_string();
        assert_eq!(run(&["audit", "export", "--after", &after]).out, "");
        assert_eq!(run(&["user", "deleted", "--json"]).json()[0]["username"], "ann");
        assert_eq!(run(&["user", "restore", "2"]).out, "Restored user 2 (ann).\n");
        assert!(run(&["user", "list", "--email", "x@example.com", "--mobile-number", "1"]).out.lines().count() == 1);
        run(&["user", "delete", "ann", "--yes"]);
        assert!(run(&["user", "deleted", "--search", "ANN"]).out.contains("ann"));
        assert_eq!(run(&["user", "purge", "2", "--yes"]).out, "Purged user 2 (ann).\n");
        let forged = on(&database, &["audit", "verify", "--expect-head", &"0".repeat(64)], "");
        assert!(forged.code == 1 && forged.out.contains("not in the chain"), "{}", forged.out);
        assert_eq!(run(&["user", "list", "--json"]).json().as_array().unwrap().len(), 1);
        assert_eq!(run(&["permission", "list", "--json"]).json().as_array().unwrap().len(), 15);
        assert!(run(&["migrate"]).out.contains("up to date"));
        assert!(run(&["doctor"]).out.contains("root is an active admin"));
        for (args, expected) in [
            (["audit", "verify", "--expect-head", "00"].as_slice(), "a head has 64 hexadecimal digits"),
            (&["doctor", "--log-level", "loud"], "log_level"),
        ] {
            let refused = on(&database, args, "");
            assert!(refused.code == 2 && refused.err.contains(expected), "{}", refused.err);
        }
        let place = database.place().join("none.pem").display().to_string();
        let settings = format!("tls_certificate = {place:?}\ntls_key = {place:?}\n");
        let file = database.place().join("settings.toml");
        std::fs::write(&file, settings).unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let doctor = on(&database, &["doctor", "--config", &file.display().to_string()], "");
        assert!(doctor.code == 1 && doctor.out.contains("cannot read the certificate"), "{}{}", doctor.out, doctor.err);
    }
}

both! {
    /// Each misuse has its own message and exit code, and changes nothing.
    async fn misuse_is_reported_and_changes_nothing(backend: Backend) {
        let site = Site::start(backend).await;
        let count = "SELECT (SELECT count(*) FROM users) * 1000 + (SELECT count(*) FROM tokens) * 100 + (SELECT count(*) FROM audit_events)";
        let before = site.database.number(count).await;
        let (long, huge) = ("x".repeat(151), "99999999999999999999");
        for (args, code, expected) in [
            (vec!["user", "add", "alex_thompson"], 4, "username: user with this username already exists."),
            (vec!["user", "add", ""], 4, "username: This field may not be blank."),
            (vec!["user", "add", "two words"], 4, "username: Enter a valid username."),
            (vec!["user", "add", &long], 4, "username: Ensure this field has no more than 150 characters."),
            (vec!["user", "add", "x", "--email", "zz", "--gender", "zz"], 4, "email: Enter a valid email address.; gender: \"zz\" is not a valid choice."),
            (vec!["user", "add", "x", "--first-name", "a\u{7}b"], 4, "first_name: Control characters are not allowed."),
            (vec!["user", "add", "x", "--password-stdin"], 4, "password: This field may not be blank."),
            (vec!["user", "add", "x", "--password"], 2, "use --password-stdin"),
            (vec!["user", "show", "nobody"], 3, "there is no user named \"nobody\""),
            (vec!["user", "show", "4711"], 3, "there is no user with id 4711"),
            (vec!["user", "show", huge], 3, "there is no user named"),
            (vec!["user", "edit", "42"], 2, "nothing to change"),
            (vec!["user", "edit", "42", "--admin", "maybe"], 2, "maybe"),
            (vec!["user", "delete", "42"], 2, "use --yes"),
            (vec!["user", "disable", "admin"], 4, "The last active admin cannot be removed"),
            (vec!["user", "list", "--limit", "1001"], 2, "use a whole number from 1 to 1000"),
            (vec!["user", "list", "--after", huge], 2, "An id is at most 9223372036854775807."),
            (vec!["group", "add", " "], 4, "name: This field may not be blank."),
            (vec!["group", "add", "Billing"], 4, "name: group with this name already exists."),
            (vec!["group", "add-member", "Billing", "nobody"], 3, "there is no user named \"nobody\""),
            (vec!["group", "delete", "nothing", "--yes"], 3, "there is no group named \"nothing\""),
            (vec!["token", "issue", "42", "--name", ""], 4, "name: This field may not be blank."),
            (vec!["token", "issue", "42", "--name", "x", "--expires-in", "soon"], 2, "use a number and a unit"),
            (vec!["token", "issue", "42", "--name", "x", "--expires-in", "0s"], 2, "the lifetime of a token cannot be zero"),
            (vec!["token", "issue", "42", "--name", "x", "--expires-in", "1000000y"], 4, "expires_at: Datetime is out of range."),
            (vec!["token", "revoke", "0"], 2, "greater than or equal to 1"),
            (vec!["token", "revoke", "4711"], 3, "there is no token with id 4711"),
            (vec!["user", "restore", "4711"], 3, "there is no deleted user with id 4711"),
            (vec!["user", "restore", "ann"], 3, "there is no deleted user named \"ann\"; see `wardroom user deleted`"),
            (vec!["user", "purge", "4711", "--yes"], 3, "there is no deleted user with id 4711"),
            (vec!["user", "purge", "4711"], 2, "use --yes"),
            (vec!["user", "deleted", "--limit", "0"], 2, "use a whole number from 1 to 1000"),
            (vec!["user", "list", "--email", ""], 2, "a value is required"),
            (vec!["audit", "export", "--after", "x"], 2, "invalid value 'x'"),
            (vec!["frobnicate"], 2, "unrecognized subcommand"),
        ] {
            let ran = on(&site.database, &args, "");
            assert_eq!((ran.code, ran.out.as_str()), (code, ""), "{args:?}: {}", ran.err);
            assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
        }
        assert_eq!(site.database.number(count).await, before);
    }
}

both! {
    /// The commands work beside a running server, and their changes take effect at once.
    async fn commands_work_beside_a_running_server(backend: Backend) {
        let site = Site::start(backend).await;
        assert_eq!(site.me(&site.staff.key).send().await.status, 200);
        assert_eq!(on(&site.database, &["user", "disable", "staff"], "").code, 0);
        assert_eq!(site.me(&site.staff.key).send().await.status, 401);
        let issued = on(&site.database, &["token", "issue", "admin", "--name", "x", "--json"], "").json();
        assert_eq!(site.me(issued["key"].as_str().unwrap()).send().await.status, 200);
    }
}

/// A key that could not be printed is not reported as a success.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_printed_is_a_failure() {
    let site = Site::start(Backend::Sqlite).await;
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_wardroom"));
    command.args(site.database.args()).args(["token", "issue", "42", "--name", "lost"]).stdout(full);
    let output = command.stderr(std::process::Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot be shown again"));
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_json_when_asked() {
    let database = Database::new(Backend::Sqlite).await;
    let ran = on(&database, &["--json", "user", "add", "", "--email", "zz"], "");
    let error: Value = serde_json::from_str(&ran.err).unwrap();
    assert_eq!(error["error"]["kind"], "invalid");
    assert_eq!(error["error"]["fields"]["email"][0], "Enter a valid email address.");
}

#[test]
fn wrong_settings_are_named_with_their_allowed_form() {
    for (args, expected) in [
        (vec!["serve", "--listen", "80x"], "listen"),
        (vec!["serve", "--idle-timeout", "soon"], "idle_timeout"),
        (vec!["serve", "--tls-key", "/k.pem"], "tls_certificate"),
        (vec!["user", "list", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
        (vec!["user", "list", "--database-url", "mysql://x"], "database_url"),
    ] {
        let ran = wardroom(&args, "");
        assert_eq!(ran.code, 2, "{args:?}");
        assert!(ran.err.contains(expected), "{args:?}: {}", ran.err);
    }
}

#[test]
fn config_show_names_sources_and_hides_secrets() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("w.toml");
    std::fs::write(&file, "listen = \"127.0.0.1:9999\"\n").unwrap();
    let file = file.display().to_string();
    let url = "postgres://app:hunter2@db.example.com/accounts";
    let ran = wardroom(&["config", "show", "--config", &file, "--database-url", url], "");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(!ran.out.contains("hunter2"));
    assert!(ran.out.contains("postgres://app:***@db.example.com/accounts"));
    let line = ran.out.lines().find(|line| line.starts_with("listen ")).unwrap();
    assert!(line.contains("127.0.0.1:9999") && line.contains(&file), "{line}");
}

#[test]
fn help_teaches_and_completions_complete() {
    let help = wardroom(&["--help"], "");
    for word in ["Commands:", "  demo  ", "wardroom help settings", "wardroom help exit-codes"] {
        assert!(help.out.contains(word), "{word}");
    }
    let own = wardroom(&["user", "add", "--help"], "").out;
    assert!(own.contains("--password-stdin") && !own.contains("--data-dir <"), "{own}");
    assert_eq!(own.lines().filter(|line| line.contains("wardroom help settings")).count(), 1, "{own}");
    let settings = wardroom(&["help", "settings"], "");
    for word in ["--data-dir <PATH>", "--listen <ADDRESSES>", "WARDROOM_LISTEN", "127.0.0.1:8000"] {
        assert!(settings.code == 0 && settings.out.contains(word), "{word}");
    }
    assert_eq!(wardroom(&["settings", "--json"], "").json()[0]["flag"], "--data-dir");
    assert!(wardroom(&["help", "exit-codes"], "").out.starts_with("Exit codes:\n  0  "));
    for shell in ["bash", "zsh", "fish"] {
        assert!(wardroom(&["completions", shell], "").out.contains("wardroom"));
    }
    assert_eq!(wardroom(&["--version"], "").out, format!("wardroom {}\n", env!("CARGO_PKG_VERSION")));
}
