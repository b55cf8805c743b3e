//! What can be wrong with the machine and with what was typed: each message names the cause and the remedy.

use std::fs;
use std::process::{Command, Output};

use crate::cli::on;
use crate::process::wardroom;
use crate::support::{Backend, Database, both};

fn said(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|said| String::from_utf8_lossy(said).into_owned()).concat()
}

/// A typing error in the name of a variable left the default in effect, without a word.
#[test]
fn an_unknown_variable_is_refused_with_the_likely_name() {
    for (name, value, code, expected) in [
        (
            "WARDROOM_DATADIR",
            "/x",
            2,
            "environment WARDROOM_DATADIR: there is no such setting; did you mean WARDROOM_DATA_DIR?",
        ),
        ("WARDROOM_PORT", "8000", 2, "did you mean WARDROOM_LISTEN?"),
        ("WARDROOM_PORT", "tcp://10.0.0.1:8000", 0, "data_dir"),
    ] {
        for args in [&["config", "show"] as &[&str], &["serve"], &["user", "list"]] {
            if code == 0 && args[0] != "config" {
                continue;
            }
            let output = wardroom(args).env(name, value).output().unwrap();
            let said = said(&output);
            assert_eq!(output.status.code(), Some(code), "{name} {args:?}: {said}");
            assert!(said.contains(expected), "{name} {args:?}: {said}");
        }
    }
}

/// The default data directory is below the working directory, which is easily another one.
#[test]
fn the_default_data_directory_is_named_where_it_was_used() {
    let place = tempfile::tempdir().unwrap();
    let here = place.path().canonicalize().unwrap();
    let expected =
        format!("data_dir is not set, so its default was used, wardroom-data in {}", here.display());
    for args in [
        &["user", "list"] as &[&str],
        &["serve", "--listen", "127.0.0.1:0"],
        &["doctor", "--quick"],
        &["backup", "b.tar"],
    ] {
        let output = wardroom(args).current_dir(&here).output().unwrap();
        assert!(said(&output).contains(&expected), "{args:?}: {}", said(&output));
        let named = wardroom(args).args(["--data-dir", "elsewhere"]).current_dir(&here).output().unwrap();
        assert!(
            said(&named).contains("there is no database at elsewhere/wardroom.db"),
            "{args:?}: {}",
            said(&named)
        );
        assert!(!said(&named).contains("data_dir is not set"), "{args:?}: {}", said(&named));
    }
    assert_eq!(fs::read_dir(&here).unwrap().count(), 0, "nothing was created");
}

#[test]
fn flags_of_other_servers_are_refused_with_ours() {
    for (flags, expected) in [
        (["--port", "9000"], "there is no flag --port: write --listen 127.0.0.1:9000"),
        (["--host", "0.0.0.0"], "there is no flag --host: write --listen 0.0.0.0:8000"),
        (["--bind", "127.0.0.1:1"], "there is no flag --bind: write --listen 127.0.0.1:1"),
        (["--address", "[::1]:2"], "there is no flag --address: write --listen [::1]:2"),
    ] {
        for command in ["serve", "demo"] {
            let output = wardroom(&[command]).args(flags).output().unwrap();
            assert_eq!(output.status.code(), Some(2));
            assert!(said(&output).contains(expected), "{}", said(&output));
        }
    }
    let help = said(&wardroom(&["serve", "--help"]).output().unwrap());
    assert!(!help.contains("--port"), "{help}");
}

/// A disk that fails becomes read-only, and SQLite only said that it could not open the file.
#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_system_is_named() {
    let database = Database::new(Backend::Sqlite).await;
    let place = database.place();
    let [data, empty] = ["data", "empty"].map(|name| place.join(name).display().to_string());
    fs::create_dir(&empty).unwrap();
    let archive = place.join("whole.tar").display().to_string();
    assert_eq!(on(&database, &["backup", &archive], "").code, 0);
    let script = "for place in \"$1\" \"$2\"; do mount --bind \"$place\" \"$place\"; mount -o remount,ro,bind \"$place\"; done; shift 2; exec \"$@\"";
    let new = format!("{empty}/new");
    for (args, is_doctor) in [
        (vec!["user", "list", "--data-dir", &data], false),
        (vec!["user", "add", "ann", "--data-dir", &data], false),
        (vec!["serve", "--listen", "127.0.0.1:0", "--data-dir", &data], false),
        (vec!["migrate", "--data-dir", &data], false),
        (vec!["init", "--data-dir", &empty], false),
        (vec!["init", "--data-dir", &new], false),
        (vec!["serve", "--init", "--listen", "127.0.0.1:0", "--data-dir", &new], false),
        (vec!["restore", &archive, "--accept-revived", "--data-dir", &new], false),
        (vec!["doctor", "--data-dir", &data], true),
        (vec!["doctor", "--quick", "--data-dir", &data], true),
    ] {
        let mut command = Command::new("unshare");
        if !rustix::process::geteuid().is_root() {
            command.args(["--user", "--map-root-user"]);
        }
        command
            .args(["--mount", "sh", "-c", script, "sh", &data, &empty, env!("CARGO_BIN_EXE_wardroom")])
            .args(&args);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WARDROOM_")) {
            command.env_remove(name);
        }
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let said = said(&output);
        assert!(said.contains("read-only: mount it for writing"), "{args:?}: {said}");
        assert_eq!(said.starts_with("CHECK"), is_doctor, "{args:?}: {said}");
        assert!(!output.status.success(), "{args:?}: {said}");
    }
}

both! {
    async fn a_missing_file_or_directory_is_named_with_the_remedy(backend: Backend) {
        let database = Database::new(backend).await;
        let missing = database.place().join("nowhere/file").display().to_string();
        for args in [
            &["backup", &missing] as &[&str],
            &["backup", "verify", &missing],
            &["restore", &missing, "--replace"],
            &["export", "--output", &missing],
            &["import", "csv", "--from", &missing],
            &["import", "json", "--from", &missing],
        ] {
            let ran = on(&database, args, "");
            assert_ne!(ran.code, 0, "{args:?}");
            assert!(ran.err.contains("nowhere") && ran.err.contains("does not exist: check the spelling"), "{args:?}: {}", ran.err);
        }
    }
}

both! {
    /// The command in the message repairs the file.
    async fn a_table_with_semicolons_can_be_converted_as_the_message_says(backend: Backend) {
        let database = Database::new(backend).await;
        let [table, converted] = ["people.csv", "converted.csv"].map(|name| database.place().join(name).display().to_string());
        fs::write(&table, "username;first_name\r\nann;Ann, the first\r\n").unwrap();
        let ran = on(&database, &["import", "csv", "--from", &table], "");
        assert_eq!(ran.code, 4, "{}", ran.err);
        let (_, command) = ran.err.split_once("or convert it: ").expect("a command");
        let command = command.trim().replace("FILE", &table).replace("NEW", &converted);
        assert!(Command::new("sh").args(["-c", &command]).status().unwrap().success(), "{command}");
        assert_eq!(on(&database, &["import", "csv", "--from", &converted], "").code, 0);
        assert_eq!(database.texts("SELECT first_name FROM users").await, ["Ann, the first"]);
    }
}

both! {
    async fn json_of_another_form_is_refused_with_the_command_that_converts_it(backend: Backend) {
        let database = Database::new(backend).await;
        let file = database.place().join("people.json");
        let shown = file.display().to_string();
        for (text, filter) in [
            ("[{\"type\":\"user\",\"username\":\"ann\"}]", "-c '.[]'"),
            ("[\n  {\n    \"type\": \"user\"\n  }\n]\n", "-c '.[]'"),
            ("{\n  \"type\": \"user\"\n}\n", "-c ."),
        ] {
            fs::write(&file, text).unwrap();
            let ran = on(&database, &["import", "json", "--from", &shown], "");
            assert_eq!(ran.code, 4, "{}", ran.err);
            assert!(ran.err.contains(&format!("jq {filter} {shown} > {shown}l")), "{}", ran.err);
            assert_eq!(ran.err.lines().count(), 1, "one error, and not one a line: {}", ran.err);
        }
        assert_eq!(database.number("SELECT count(*) FROM users").await, 0);
    }
}
