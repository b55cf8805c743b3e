//! What the commands print on a terminal: width, colour, pager, questions. The terminal is a pseudo-terminal.

use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;

use crate::cli::on;
use crate::cli_lists::works;
use crate::support::site::EXAMPLE_KEY;
use crate::support::{Backend, Database, Site, both};

/// Runs a command on a terminal with this many columns, types the input, and returns the exit code and all output.
fn on_terminal(
    database: &Database,
    columns: u16,
    variables: &[(&str, &str)],
    args: &[&str],
    typed: &str,
) -> (i32, String) {
    let mut command = command(database, variables, args);
    let [ours, theirs] = terminal(columns);
    command.stdin(theirs.try_clone().unwrap()).stderr(theirs.try_clone().unwrap()).stdout(theirs);
    typed_into(ours, command, typed)
}

/// The same, without standard error, where progress is shown.
fn report_on_terminal(database: &Database, columns: u16, args: &[&str]) -> (i32, String) {
    let mut command = command(database, &[], args);
    let [ours, theirs] = terminal(columns);
    command.stdin(Stdio::null()).stderr(Stdio::null()).stdout(theirs);
    typed_into(ours, command, "")
}

/// The two ends of a terminal: ours, and that of a command.
fn terminal(columns: u16) -> [OwnedFd; 2] {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    [ours, theirs]
}

fn command(database: &Database, variables: &[(&str, &str)], args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardroom"));
    for name in ["NO_COLOR", "PAGER", "LESS", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("PAGER", "cat").envs(variables.iter().copied());
    command.args(database.args()).args(args);
    command
}

fn typed_into(ours: OwnedFd, mut command: Command, typed: &str) -> (i32, String) {
    let mut child = command.spawn().unwrap();
    // It has the other end of the terminal.
    drop(command);
    let mut ours = std::fs::File::from(ours);
    ours.write_all(typed.as_bytes()).unwrap();
    let mut output = Vec::new();
    let mut buffer = [0; 4096];
    // Reading fails once no program has the other end any more.
    while let Ok(read @ 1..) = ours.read(&mut buffer) {
        output.extend_from_slice(&buffer[..read]);
    }
    let code = child.wait().unwrap().code().unwrap_or(-1);
    (code, String::from_utf8(output).unwrap().replace("\r\n", "\n"))
}

/// The text without colours.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    let mut parts = text.split('\u{1b}');
    plain.push_str(parts.next().unwrap());
    for part in parts {
        plain.push_str(part.split_once('m').unwrap().1);
    }
    plain
}

async fn database() -> Database {
    let database = Database::new(Backend::Sqlite).await;
    let long = "x".repeat(60);
    works(
        &database,
        &[
            "user",
            "add",
            &format!("a{long}"),
            "--first-name",
            &long,
            "--last-name",
            "Lee",
            "--email",
            &format!("{long}@example.com"),
            "--staff",
        ],
    );
    works(&database, &["user", "add", "ann", "--inactive"]);
    works(&database, &["token", "issue", "ann", "--name", &long, "--expires-in", "90d"]);
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_fit_the_terminal() {
    let database = database().await;
    for args in [
        &["user", "list"][..],
        &["token", "list"],
        &["token", "list", "ann"],
        &["audit", "list"],
        &["user", "deleted"],
        &["group", "list"],
        &["permission", "list"],
        &["audit", "actions"],
    ] {
        for columns in [80, 120] {
            let (code, text) = on_terminal(&database, columns, &[], args, "");
            assert_eq!(code, 0, "{args:?}: {text}");
            let longest = plain(&text).lines().map(|line| line.chars().count()).max().unwrap();
            assert!(longest <= usize::from(columns), "{args:?} needs {longest} columns:\n{text}");
        }
    }
    let (_, narrow) = on_terminal(&database, 80, &[], &["token", "list"], "");
    assert!(
        narrow.contains("…")
            && narrow
                .contains("Left out: made by, kind, last used, created, expires (--json has everything)."),
        "{narrow}"
    );
    let whole = works(&database, &["user", "list"]).out;
    assert!(whole.contains(&format!("{} Lee", "x".repeat(60))), "output to a program is complete: {whole}");
    let (_, wide) = on_terminal(&database, 80, &[("COLUMNS", "400")], &["user", "list"], "");
    assert!(!wide.contains('…'), "{wide}");
}

both! {
    /// A report is read to its end: its lines are broken between words, and no word is left out.
    async fn reports_fit_the_terminal(backend: Backend) {
        let (site, other) = (Site::start(backend).await, Site::start(Backend::Sqlite).await);
        other.database.sql("UPDATE users SET email = 'alex@example.com', gender = NULL WHERE id = 42").await;
        let place = tempfile::tempdir().unwrap();
        let django = place.path().join("django.db").display().to_string();
        let shape = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django/shapes/organizations/shape.sql");
        let shape = std::fs::read_to_string(shape).unwrap();
        rusqlite::Connection::open(&django).unwrap().execute_batch(&shape).unwrap();
        let (keys, lines) = (place.path().join("keys"), place.path().join("users.csv"));
        std::fs::write(&keys, EXAMPLE_KEY).unwrap();
        // Each conflict is a note.
        std::fs::write(&lines, "id,username,email\n42,zoe,alex.thompson@techcorp.com\n43,alex_thompson,x\n").unwrap();
        let (keys, lines) = (keys.display().to_string(), lines.display().to_string());
        let [old, new] = [site.address, other.address].map(|address| format!("http://{address}"));
        let mut copies = 0;
        for args in [
            &["import", "django", "--from", &django, "--dry-run"][..],
            &["import", "csv", "--from", &lines, "--dry-run"],
            &["doctor"],
            &["compare", "--old", &old, "--new", &new, "--tokens", &keys],
            &["move", "--to"],
        ] {
            let mut report = |columns: Option<u16>| {
                copies += 1;
                let to = place.path().join(format!("copy{copies}")).display().to_string();
                let mut args = args.to_vec();
                if args[0] == "move" {
                    args.push(&to);
                }
                let plain_text = |(code, text): (i32, String)| (code, plain(&text));
                match columns {
                    Some(columns) => plain_text(report_on_terminal(&site.database, columns, &args)),
                    None => {
                        let ran = on(&site.database, &args, "");
                        (ran.code, ran.out)
                    }
                }
            };
            let (code, whole) = report(None);
            for columns in [60, 80, 120] {
                let (same, text) = report(Some(columns));
                assert_eq!(same, code, "{args:?}: {text}");
                let long = text.lines().find(|line| {
                    line.trim().contains(' ') && line.chars().count() > usize::from(columns)
                });
                assert_eq!(long, None, "{args:?} at {columns}:\n{text}");
                let words = |text: &str| text.split_whitespace().count();
                assert_eq!(words(&text), words(&whole), "{args:?} at {columns}:\n{text}\n{whole}");
                // What is indented without a terminal is indented on one.
                let indented = |text: &str| text.lines().filter(|line| line.starts_with("  ")).count();
                assert!(indented(&text) >= indented(&whole), "{args:?} at {columns}:\n{text}\n{whole}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn colour_is_for_terminals_that_want_it() {
    let database = database().await;
    let (_, colour) = on_terminal(&database, 120, &[], &["token", "list"], "");
    assert!(colour.contains("\u{1b}[1m") && colour.contains("\u{1b}[32mactive\u{1b}[0m"), "{colour}");
    for variables in [[("NO_COLOR", "1")], [("TERM", "dumb")]] {
        let (_, text) = on_terminal(&database, 120, &variables, &["token", "list"], "");
        assert!(!text.contains('\u{1b}'), "{text}");
    }
    assert!(!works(&database, &["token", "list"]).out.contains('\u{1b}'));
    let (code, error) = on_terminal(&database, 120, &[], &["user", "show", "nobody"], "");
    assert!(code == 3 && error.starts_with("\u{1b}[31mwardroom:\u{1b}[0m there is no user"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn long_lists_go_through_the_pager() {
    let database = database().await;
    let pager = [("PAGER", "sed s/^/paged:/"), ("NO_COLOR", "1")];
    let (_, short) = on_terminal(&database, 120, &pager, &["user", "list"], "");
    assert!(short.starts_with("ID "), "{short}");
    let (code, long) = on_terminal(&database, 120, &pager, &["audit", "actions"], "");
    assert!(code == 0 && long.starts_with("paged:ACTION") && long.contains("\npaged:user.unlock"), "{long}");
    for missing in ["", "cat", "/nonexistent/pager"] {
        let (code, text) =
            on_terminal(&database, 120, &[("PAGER", missing), ("NO_COLOR", "1")], &["audit", "actions"], "");
        assert!(
            code == 0 && text.contains("ACTION  ") && text.contains("\nuser.unlock"),
            "{missing}: {text}"
        );
    }
    // The reader may stop early.
    let (code, _) = on_terminal(&database, 120, &[("PAGER", "head -1")], &["audit", "actions"], "");
    assert_eq!(code, 0);
    assert!(!works(&database, &["audit", "actions"]).out.contains("paged:"));
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_say_what_happens_and_to_how_many() {
    let database = database().await;
    works(&database, &["user", "add", "bob"]);
    works(&database, &["group", "add", "Billing", "--permission", "user_read"]);
    works(&database, &["group", "add-member", "Billing", "ann", "bob"]);
    works(&database, &["permission", "add", "order_read"]);
    works(&database, &["user", "grant", "bob", "order_read"]);
    works(&database, &["group", "grant", "Billing", "order_read"]);
    for (args, question) in [
        (
            &["user", "delete", "ann", "bob"][..],
            "Delete 2 users (ann, bob)? 1 active token stop working. They can be restored for 30 days, without tokens. Type yes to confirm:",
        ),
        (
            &["group", "delete", "Billing"],
            "Delete 1 group (Billing)? 2 memberships with 2 permissions end. It stays in the recycle bin for 30 days; to restore it: `wardroom group restore`.",
        ),
        (
            &["permission", "remove", "order_read"],
            "Remove the permission order_read (10000)? 1 user and 1 group lose it. This cannot be undone.",
        ),
    ] {
        let (code, text) = on_terminal(&database, 200, &[], args, "no\n");
        assert!(
            code == 2 && text.contains(question) && text.contains("not confirmed: nothing was changed"),
            "{text}"
        );
    }
    let (code, text) = on_terminal(&database, 200, &[], &["user", "delete", "ann"], "yes\n");
    assert!(code == 0 && text.contains("Deleted user 2 (ann).\n"), "{text}");
    let (code, text) = on_terminal(&database, 200, &[], &["user", "purge", "ann"], "no\n");
    assert!(
        code == 2 && text.contains("Delete 1 deleted user (ann) permanently? This cannot be undone."),
        "{text}"
    );
}

/// With `--json`, a script gets JSON whatever is wrong, before and after the arguments are understood.
#[tokio::test(flavor = "multi_thread")]
async fn usage_errors_are_json_when_asked() {
    let database = Database::new(Backend::Sqlite).await;
    for (args, part) in [
        (&["user", "lst", "--json"][..], "unrecognized subcommand 'lst'"),
        (&["--json", "user", "list", "--limit", "0"], "use a whole number from 1 to 1000"),
        (
            &["user", "list", "--ordering", "password", "--json"],
            "there is no column \"password\" here: use id, username",
        ),
        (&["user", "add", "--json"], "required arguments were not provided"),
        (&["user", "list", "--created-from", "tomorrow", "--json"], "use a day such as 2025-09-01"),
        (&["user", "delete", "ann", "--json"], "use --yes"),
        (
            &["user", "list", "--search", &"x ".repeat(400), "--json"],
            "--search: Ensure this field has no more than 500 characters.",
        ),
        (&["user", "list", "--json", "--config", "/nonexistent.toml"], "/nonexistent.toml"),
    ] {
        let ran = on(&database, args, "");
        let error: Value =
            serde_json::from_str(&ran.err).unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.err));
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{args:?}");
        let message = error["error"]["message"].as_str().unwrap();
        assert!(message.contains(part) && !message.contains("Usage:"), "{args:?}: {message}");
    }
    assert!(on(&database, &["user", "list", "--help", "--json"], "").out.contains("--ordering"));
    // Behind `--`, it is a name.
    assert!(on(&database, &["user", "lst", "--", "--json"], "").err.starts_with("error: "));
}

/// A stored name cannot move the cursor or change colours.
#[tokio::test(flavor = "multi_thread")]
async fn stored_text_is_escaped() {
    let database = database().await;
    database.sql("UPDATE users SET username = 'ann' || char(27) || '[31m', first_name = 'a' || char(10) || 'b' WHERE id = 2").await;
    for args in [&["user", "list"][..], &["user", "show", "2"], &["user", "enable", "2"]] {
        let text = works(&database, args).out;
        assert!(!text.contains('\u{1b}') && text.contains("ann\\u{1b}[31m"), "{args:?}: {text}");
    }
}
