//! What the commands print on a terminal: width, colour, pager, questions. The terminal is a pseudo-terminal.

use std::io::{Read as _, Write as _};
use std::process::{Command, Stdio};

use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use serde_json::Value;

use crate::cli::on;
use crate::cli_lists::works;
use crate::support::{Backend, Database};

/// Runs a command on a terminal with this many columns, types the input, and returns the exit code and all output.
fn on_terminal(
    database: &Database,
    columns: u16,
    variables: &[(&str, &str)],
    args: &[&str],
    typed: &str,
) -> (i32, String) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let theirs = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY, Mode::empty()).unwrap();
    tcsetwinsize(&theirs, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardroom"));
    for name in ["NO_COLOR", "PAGER", "LESS", "COLUMNS"] {
        command.env_remove(name);
    }
    command.env("TERM", "xterm").env("PAGER", "cat").envs(variables.iter().copied());
    let end = || Stdio::from(theirs.try_clone().unwrap());
    command.args(database.args()).args(args).stdin(end()).stdout(end()).stderr(end());
    let mut child = command.spawn().unwrap();
    drop((command, theirs));
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
            && narrow.contains("Left out: made by, kind, last used, created (--json has everything)."),
        "{narrow}"
    );
    let whole = works(&database, &["user", "list"]).out;
    assert!(whole.contains(&format!("{} Lee", "x".repeat(60))), "output to a program is complete: {whole}");
    let (_, wide) = on_terminal(&database, 80, &[("COLUMNS", "400")], &["user", "list"], "");
    assert!(!wide.contains('…'), "{wide}");
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
            "Delete 2 users (ann, bob)? 1 active token stop working. They can be restored for 30days, without tokens. Type yes to confirm:",
        ),
        (
            &["group", "delete", "Billing"],
            "Delete 1 group (Billing) permanently? 2 memberships with 2 permissions end. This cannot be undone.",
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
        (&["--json", "user", "list", "--limit", "0"], "0 is not in 1..=1000"),
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
