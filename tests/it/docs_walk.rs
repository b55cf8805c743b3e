//! A walk through the documents: every command in a block that is marked as `sh` runs, in order, in a scratch place.
//!
//! A block that cannot run here has a comment `<!-- not run: REASON -->` before it, which readers of the rendered page do
//! not see. The walk prints these blocks. Everything else that looks like a command has to be in a block that runs; what a
//! program prints is marked as `text`.
//!
//! Absolute paths of the documents are below the scratch place. Programs that need root or change the machine (`sudo`,
//! `systemctl`, ...) are stand-ins. What a reader would replace, such as a key, is replaced.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::support::django::{DjangoProject, UserModel, Version};
use crate::support::{Backend, Database};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// A fenced block of a document.
struct Block {
    line: usize,
    /// How far the fence is indented, as in a list.
    indent: usize,
    language: String,
    text: String,
    /// Why it is not run.
    left_out: Option<String>,
}

fn read(document: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(document)).unwrap()
}

/// The fenced blocks of a document.
fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut open, mut left_out): (Vec<Block>, Option<Block>, Option<String>) =
        (vec![], None, None);
    for (number, raw) in text.lines().enumerate() {
        let line = raw.trim_start();
        match (&mut open, line.strip_prefix("```")) {
            (Some(_), Some(_)) => found.extend(open.take()),
            (None, Some(language)) => {
                open = Some(Block {
                    line: number + 1,
                    indent: raw.len() - line.len(),
                    language: language.into(),
                    text: String::new(),
                    left_out: left_out.take(),
                });
            }
            (Some(block), None) => {
                writeln!(block.text, "{}", raw.get(block.indent..).unwrap_or_default()).unwrap()
            }
            (None, None) => {
                let reason = line.strip_prefix("<!-- not run: ").and_then(|rest| rest.strip_suffix(" -->"));
                left_out = reason.map(str::to_owned).or(left_out.filter(|_| line.is_empty()));
            }
        }
    }
    assert!(open.is_none(), "a block is not closed");
    found
}

/// The commands of a block: lines, joined where they end with a backslash, without comments on lines of their own.
fn commands(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let lines = joined.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(str::to_owned).collect()
}

/// Programs of the documents that need root or change the machine. They succeed and do nothing; `sudo` runs its command.
const STAND_INS: [(&str, &str); 9] = [
    ("sudo", "[ \"$1\" = -u ] && shift 2\nexec \"$@\""),
    ("useradd", "exit 0"),
    ("systemctl", "exit 0"),
    ("journalctl", "exit 0"),
    ("nginx", "exit 0"),
    ("chown", "exit 0"),
    ("cargo", "echo \"cargo $*\""),
    ("curl", "exec REAL --fail-with-body -sS \"$@\""),
    // Without the owner, and with paths of the scratch place in files of settings.
    (
        "install",
        "set --  \"$@\" --end\nwhile [ \"$1\" != --end ]; do\n  case \"$1\" in\n  -o|-g) shift 2 ;;\n  *) set -- \"$@\" \"$1\"; last=$1; shift ;;\n  esac\ndone\nshift\nREAL \"$@\" || exit\ncase \"$last\" in *.toml) sed -i \"s#\\\"/\\(var\\|etc\\)/#\\\"$PLACE/\\1/#\" \"$last\" ;; esac",
    ),
];

/// A walk: a scratch place, and what was learnt on the way.
struct Walk {
    place: TempDir,
    /// What a reader replaces, in order.
    replaced: Vec<(String, String)>,
    /// Commands that hold for all later ones of their document: `export`, `umask`, `cd`.
    shell: String,
    servers: Vec<Child>,
    output: String,
    ran: usize,
}

impl Walk {
    fn begin() -> Self {
        let place = tempfile::tempdir().unwrap();
        for folder in [
            "bin",
            "home",
            "work",
            "etc/wardroom",
            "etc/bash_completion.d",
            "etc/fish/completions",
            "etc/systemd/system",
            "usr/local/bin",
            "usr/local/share/zsh/site-functions",
            "var/lib",
            "var/backups",
            "srv",
        ] {
            fs::create_dir_all(place.path().join(folder)).unwrap();
        }
        let bin = place.path().join("bin");
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_wardroom"), bin.join("wardroom")).unwrap();
        for (name, text) in STAND_INS {
            let text = text
                .replace("REAL", &program(name).unwrap_or_default())
                .replace("$PLACE", &place.path().display().to_string());
            fs::write(bin.join(name), format!("#!/bin/sh\n{text}\n")).unwrap();
            fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(place.path().join("password"), "nine lanterns above the harbour\n").unwrap();
        let root = place.path().display().to_string();
        let mut walk = Self {
            place,
            replaced: vec![],
            shell: String::new(),
            servers: vec![],
            output: String::new(),
            ran: 0,
        };
        for folder in ["/var/lib/", "/var/backups", "/etc/", "/usr/local/", "/srv/"] {
            walk.replace(folder, &format!("{root}{folder}"));
        }
        walk.replace("target/release/wardroom", env!("CARGO_BIN_EXE_wardroom"));
        walk.replace(
            "user set-password root",
            &format!("user set-password root --password-stdin < {root}/password"),
        );
        walk.replace("2025-09-01", "$(date +%F)");
        walk
    }

    fn replace(&mut self, from: &str, to: &str) {
        self.replaced.push((from.into(), to.into()));
    }

    fn path(&self, below: &str) -> PathBuf {
        self.place.path().join(below)
    }

    fn replaced(&self, text: &str) -> String {
        self.replaced.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
    }

    /// The shell for a command.
    fn command(&self, text: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{}{text}", self.shell)]).current_dir(self.path("work"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("WARDROOM_")) {
            command.env_remove(name);
        }
        let path = format!("{}:{}", self.path("bin").display(), search_path());
        command.env("PATH", path).env("HOME", self.path("home")).env("WARDROOM_LISTEN", "127.0.0.1:0");
        command
            .env("WARDROOM_CONFIG", self.path("etc/wardroom/wardroom.toml"))
            .env("WARDROOM_LOG_FORMAT", "json");
        if !self.path("etc/wardroom/wardroom.toml").exists() {
            command.env_remove("WARDROOM_CONFIG");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Runs the blocks of a document. Returns those that were left out, and why.
    fn follow(&mut self, document: &str, mut after: impl FnMut(&mut Self, &Block)) -> Vec<String> {
        let mut left_out = Vec::new();
        for block in blocks(&read(document)) {
            let about = format!("{document}:{}", block.line);
            if let Some(reason) = &block.left_out {
                left_out.push(format!("{about}: {reason}"));
                continue;
            }
            if block.language == "sh" {
                self.run(&block, &about);
            } else if block.language != "text" {
                let stray = commands(&block.text).into_iter().find(|line| is_command(line));
                assert_eq!(stray, None, "{about}: mark the block as sh, or say why it is not run");
            }
            after(self, &block);
        }
        left_out
    }

    fn run(&mut self, block: &Block, about: &str) {
        // A script that the reader stores in a file.
        if block.text.starts_with("#!") {
            let file = self.path("script");
            fs::write(&file, &block.text).unwrap();
            assert!(
                Command::new("sh").arg("-n").arg(file).status().unwrap().success(),
                "{about}: not a script"
            );
            self.ran += 1;
            return;
        }
        for line in commands(&block.text) {
            let text = self.replaced(&line);
            let first = text.split_whitespace().next().unwrap_or_default();
            if ["export", "umask", "cd"].contains(&first) {
                writeln!(self.shell, "{text}").unwrap();
            }
            self.ran += 1;
            if ["wardroom serve", "wardroom demo"].iter().any(|server| text.starts_with(server)) {
                self.start(&text, about);
                continue;
            }
            let output = self.command(&text).output().unwrap();
            let (out, err) =
                (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
            assert!(
                output.status.success(),
                "{about}: {line}\n(as: {text})\nexit code {:?}\n{out}{err}",
                output.status.code()
            );
            self.output = out.into_owned();
            if let Some(key) = key(&self.output) {
                self.replace("wrd_...", &key);
            }
        }
    }

    /// Starts a server, and learns its address and the keys that it prints.
    fn start(&mut self, text: &str, about: &str) {
        self.stop();
        let text = text.replace("--listen 127.0.0.1:8000", "");
        let mut server = self.command(&format!("exec {text}")).spawn().unwrap();
        let mut log = BufReader::new(server.stderr.take().unwrap());
        let mut seen = String::new();
        let address = loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "{about}: {text}: the server ended: {seen}");
            seen.push_str(&line);
            let record: serde_json::Value = serde_json::from_str(&line).unwrap_or_default();
            if record["message"] == "listening" {
                break record["address"].as_str().unwrap().to_owned();
            }
        };
        if text.starts_with("wardroom demo") {
            let mut said = String::new();
            for line in BufReader::new(server.stdout.take().unwrap()).lines() {
                let line = line.unwrap();
                let last = line.starts_with("Ctrl-C");
                said += &line;
                if last {
                    break;
                }
            }
            self.replace("ADMIN_KEY", &key(&said).unwrap());
        }
        // The log is read to its end, so that the server never waits for a reader.
        std::thread::spawn(move || log.read_to_end(&mut Vec::new()));
        self.servers.push(server);
        self.replaced.retain(|(from, _)| from != "127.0.0.1:8000");
        self.replace("127.0.0.1:8000", &address);
    }

    fn stop(&mut self) {
        for mut server in self.servers.drain(..) {
            let _ = server.kill();
            let _ = server.wait();
        }
    }
}

impl Drop for Walk {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A key that a command has printed.
fn key(text: &str) -> Option<String> {
    let from = text.find("wrd_")?;
    text.get(from..from + 40)
        .filter(|key| key.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'))
        .map(str::to_owned)
}

#[expect(clippy::disallowed_methods, reason = "where programs are is no setting")]
fn search_path() -> String {
    std::env::var("PATH").unwrap()
}

/// Where a program of the system is.
fn program(name: &str) -> Option<String> {
    let path = search_path();
    path.split(':')
        .map(|folder| Path::new(folder).join(name))
        .find(|file| file.is_file())
        .map(|file| file.display().to_string())
}

fn is_command(line: &str) -> bool {
    let first = line.split_whitespace().next().unwrap_or_default();
    ["wardroom", "curl", "sudo", "cargo", "systemctl", "install", "psql", "export", "scripts/test", "apt-get"]
        .contains(&first)
}

#[expect(clippy::print_stdout, reason = "the blocks that are not run are worth a look")]
fn print(left_out: &[String]) {
    left_out.iter().for_each(|block| println!("not run: {block}"));
}

/// The README: the demo, the call and its response, and the first real server.
#[tokio::test(flavor = "multi_thread")]
async fn the_readme_works_as_it_is_written() {
    let mut walk = Walk::begin();
    walk.replace("cargo run --release -- demo", "wardroom demo");
    let mut compared = 0;
    let left_out = walk.follow("README.md", |walk, block| {
        if block.language == "json" {
            let shown = walk.replaced(block.text.trim());
            assert_eq!(walk.output.trim(), shown, "README.md:{}", block.line);
            compared += 1;
        }
    });
    print(&left_out);
    assert_eq!(compared, 1, "the response is shown");
    assert!(walk.ran >= 9 && left_out.len() <= 3, "{} ran, {left_out:?}", walk.ran);
    let last: serde_json::Value = serde_json::from_str(&walk.output).unwrap();
    assert_eq!(last["username"], "root");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_s_examples_work_in_the_demo() {
    let mut walk = Walk::begin();
    fs::write(walk.path("work/picture.png"), crate::avatars::png([200, 100, 50])).unwrap();
    walk.start("wardroom demo", "docs/api.md");
    let left_out = walk.follow("docs/api.md", |_, _| {});
    print(&left_out);
    assert!(walk.ran >= 9 && left_out.is_empty(), "{} ran, {left_out:?}", walk.ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn services_introspect_and_report_keys_as_documented() {
    let mut walk = Walk::begin();
    walk.start("wardroom demo", "docs/introspection.md");
    let mut compared = 0;
    let mut left_out = walk.follow("docs/introspection.md", |walk, block| {
        if block.language == "json" {
            let members = |text: &str| -> Vec<String> {
                let object: serde_json::Value = serde_json::from_str(text).unwrap();
                object.as_object().unwrap().keys().cloned().collect()
            };
            assert_eq!(members(&walk.output), members(&block.text), "docs/introspection.md:{}", block.line);
            compared += 1;
        }
    });
    left_out.extend(walk.follow("docs/leaked-keys.md", |_, _| {}));
    print(&left_out);
    assert!(walk.ran == 4 && left_out.len() == 2 && compared == 1, "{} ran, {left_out:?}", walk.ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn exports_and_imports_work_as_documented() {
    let mut walk = Walk::begin();
    for place in ["one", "other"] {
        let made = walk.command(&format!("wardroom init --data-dir $HOME/{place}")).output().unwrap();
        assert!(made.status.success());
    }
    walk.shell = "export WARDROOM_DATA_DIR=$HOME/one\n".into();
    assert!(walk.command("wardroom user add root --admin").output().unwrap().status.success());
    // It goes "into another account database".
    walk.replace(
        "import json --from directory.json",
        "import json --from directory.json --data-dir $HOME/other",
    );
    let left_out = walk.follow("docs/records.md", |_, _| {});
    print(&left_out);
    assert!(walk.ran >= 5 && left_out.is_empty(), "{} ran, {left_out:?}", walk.ran);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_operated_as_documented() {
    let database = Database::empty(Backend::Postgres).await;
    let wardroom::directory::Location::Postgres(url) = &database.location else { panic!("not PostgreSQL") };
    let mut walk = Walk::begin();
    // The settings are those of the document; a reader writes the file.
    let text = read("docs/operating.md");
    let settings = blocks(&text).into_iter().find(|block| block.language == "toml").unwrap();
    fs::write(walk.path("work/wardroom.toml"), walk.replaced(&settings.text)).unwrap();
    if Path::new(ROOT).join("packaging").is_dir() {
        std::os::unix::fs::symlink(Path::new(ROOT).join("packaging"), walk.path("work/packaging")).unwrap();
    }
    walk.replace("postgres://wardroom:secret@db.example.com/accounts", &format!("'{url}'"));
    walk.replace("postgres://...", &format!("'{url}'"));
    // A reader has moved the old directory away, and restores the first archive where there is nothing.
    let place = walk.place.path().display().to_string();
    walk.replace(&format!("--to {place}/var/lib/wardroom"), &format!("--to {place}/var/lib/back/wardroom"));
    fs::create_dir_all(walk.path("var/lib/back")).unwrap();
    walk.replace("--accept-revived ", &format!("--accept-revived --data-dir {place}/var/lib/restored "));
    let left_out = walk.follow("docs/operating.md", |_, _| {});
    print(&left_out);
    assert!(walk.ran >= 15, "{} ran", walk.ran);
}

/// With a real Django on the other side.
#[tokio::test(flavor = "multi_thread")]
async fn a_team_moves_from_django_as_documented() {
    let project = DjangoProject::build(Version::V52, UserModel::Custom, Backend::Sqlite).await;
    let django = project.serve().await;
    let mut walk = Walk::begin();
    walk.replace("'postgres://reader:secret@db.example.com/backoffice?sslmode=require'", project.source());
    walk.replace("--from ...", &format!("--from {}", project.source()));
    // This Django speaks HTTP, and builds the URLs of avatars accordingly.
    walk.replace("--public-url https://www.example.com", "--public-url http://www.example.com");
    let media = format!("{}/srv/backoffice/media", walk.place.path().display());
    walk.replace(&media, &project.media().display().to_string());
    walk.replace("--old https://www.example.com", &format!("--old http://{}", django.address));
    let plain = |name: &&str| name.bytes().all(|byte| byte.is_ascii_lowercase());
    let admins = project.people().iter().filter(|person| person.is_superuser && person.is_active);
    let admin = admins
        .map(|person| person.username.as_str())
        .find(plain)
        .expect("an admin with a simple name")
        .to_owned();
    let left_out = walk.follow("docs/moving-from-django.md", |walk, block| {
        if block.text.contains("wardroom serve") && block.left_out.is_none() {
            let place = if block.text.contains("/srv/wardroom") { "srv" } else { "var/lib" };
            let place = walk.path(place).join("wardroom").display().to_string();
            let issued = walk
                .command(&format!("wardroom token issue {admin} --name walk --data-dir {place}"))
                .output()
                .unwrap();
            walk.replace("ADMIN_KEY", &key(&String::from_utf8(issued.stdout).unwrap()).unwrap());
        }
    });
    print(&left_out);
    assert!(walk.ran >= 8, "{} ran", walk.ran);
}

#[test]
fn the_walk_finds_what_is_not_marked() {
    let found = blocks(
        "a\n\n<!-- not run: why -->\n```sh\nx\n```\n\n```\nwardroom serve\n```\n\n   ```sh\n   y \\\n      z\n   ```\n",
    );
    let seen: Vec<_> = found
        .iter()
        .map(|block| (block.line, block.language.as_str(), block.left_out.as_deref(), commands(&block.text)))
        .collect();
    assert_eq!(
        seen,
        [
            (4, "sh", Some("why"), vec!["x".to_owned()]),
            (8, "", None, vec!["wardroom serve".to_owned()]),
            (12, "sh", None, vec!["y     z".to_owned()]),
        ]
    );
    assert!(is_command("wardroom serve") && !is_command("Authorization: Token x"));
}
