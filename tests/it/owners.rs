//! Who owns what root creates: the owner of what is replaced, or of the directory. Without root nothing can be given away,
//! and the same rule says that everything belongs to this account.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};

use crate::backup::{refused, text, works};
use crate::process::serve;
use crate::support::site::person;
use crate::support::{Backend, Database};

/// The account `nobody`.
const NOBODY: u32 = 65_534;

fn owner(path: &Path) -> (u32, u32) {
    let found = fs::symlink_metadata(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    (found.uid(), found.gid())
}

/// A directory of the account that runs the service.
struct Service {
    database: Database,
    directory: PathBuf,
    /// This account if the test cannot give files away.
    owner: (u32, u32),
    me: (u32, u32),
}

impl Service {
    fn new() -> Self {
        let place = tempfile::tempdir().unwrap().keep();
        let me = owner(&place);
        let directory = place.join("data");
        fs::create_dir(&directory).unwrap();
        fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let is_root = me.0 == 0;
        if is_root {
            chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let owner = if is_root { (NOBODY, NOBODY) } else { me };
        Self { database: Database::in_directory(&directory), directory, owner, me }
    }

    /// Checks everything below the data directory.
    fn check(&self, after: &str) {
        let mut directories = vec![self.directory.clone()];
        while let Some(directory) = directories.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                assert_eq!(owner(&path), self.owner, "{} after {after}", path.display());
                if path.is_dir() && !path.is_symlink() {
                    directories.push(path);
                }
            }
        }
    }

    fn place(&self) -> &Path {
        self.directory.parent().unwrap()
    }

    /// Does what init cannot: a data directory that holds media files already.
    fn add_media(&self) {
        for path in ["media", "media/avatars", "media/avatars/a.png"] {
            let path = self.directory.join(path);
            if path.extension().is_some() {
                fs::write(&path, "image").unwrap()
            } else {
                fs::create_dir(&path).unwrap()
            }
            chown(&path, Some(self.owner.0), Some(self.owner.1)).unwrap();
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(self.place());
    }
}

/// Guards against a restore, run by root, after which the service cannot open its database.
#[tokio::test(flavor = "multi_thread")]
async fn what_root_creates_belongs_to_the_service() {
    let service = Service::new();
    let database = &service.database;
    let command = |arguments: &[&str]| {
        works(database, arguments);
        service.check(&arguments.join(" "));
    };
    command(&["init"]);
    command(&["user", "add", "ann", "--admin"]);
    command(&["migrate"]);
    let directory = database.open(&wardroom::directory::Clock::system().unwrap()).await;
    person(&directory, "bob", |_| {}).await;
    // The log and its index are there now.
    assert!(service.directory.join("wardroom.db-wal").exists());
    service.check("a write");
    drop(directory);
    let mut process = serve(database, &[]);
    process.address("listening");
    service.check("the start of a server");
    process.signal("-TERM");
    assert_eq!(process.end().0, Some(0));
    service.check("the end of a server");

    // A backup belongs to the account that made it: it contains every secret of the database.
    service.add_media();
    let backup = service.place().join("backup.tar");
    command(&["backup", text(&backup)]);
    assert_eq!(owner(&backup), service.me);
    // One that is replaced keeps its owner.
    chown(&backup, Some(service.owner.0), Some(service.owner.1)).unwrap();
    command(&["backup", text(&backup), "--replace"]);
    assert_eq!(owner(&backup), service.owner);
    let export = service.place().join("export.json");
    command(&["export", "--output", text(&export)]);
    assert_eq!(owner(&export), service.me);
    chown(&export, Some(service.owner.0), Some(service.owner.1)).unwrap();
    command(&["export", "--output", text(&export), "--replace"]);
    assert_eq!(owner(&export), service.owner);

    fs::write(service.directory.join("media/avatars/a.png"), "another image").unwrap();
    command(&["restore", text(&backup), "--replace"]);
    fs::remove_dir_all(service.directory.join("media")).unwrap();
    command(&["restore", text(&backup), "--replace"]);
    assert!(service.directory.join("media/avatars/a.png").exists());
    for entry in fs::read_dir(&service.directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { fs::remove_dir_all(path).unwrap() } else { fs::remove_file(path).unwrap() }
    }
    command(&["restore", text(&backup), "--accept-revived"]);
}

/// Guards against an export or a backup of root that belongs to the account which put a file of its name into a shared
/// directory beforehand.
#[tokio::test(flavor = "multi_thread")]
async fn finding_a_planted_file_does_not_get_what_replaces_it() {
    let service = Service::new();
    works(&service.database, &["init"]);
    works(&service.database, &["user", "add", "ann", "--admin"]);
    let shared = service.place().join("shared");
    fs::create_dir(&shared).unwrap();
    fs::set_permissions(&shared, fs::Permissions::from_mode(0o1777)).unwrap();
    fs::set_permissions(service.place(), fs::Permissions::from_mode(0o755)).unwrap();
    for (name, code, command) in
        [("export.json", 2, &["export", "--output"][..]), ("backup.tar", 4, &["backup"])]
    {
        let planted = shared.join(name);
        fs::write(&planted, "planted").unwrap();
        chown(&planted, Some(service.owner.0), Some(service.owner.1)).unwrap();
        let arguments = [command, &[text(&planted)]].concat();
        refused(&service.database, &arguments, code, "--replace");
        assert_eq!(fs::read_to_string(&planted).unwrap(), "planted");
        works(&service.database, &[&arguments[..], &["--replace"]].concat());
        let found = fs::metadata(&planted).unwrap();
        assert_eq!((owner(&planted), found.mode() & 0o7777), (service.me, 0o600), "{name}");
    }
}

/// A data directory that a command creates belongs to the owner of the directory above it.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_data_directory_belongs_to_the_owner_of_the_one_above() {
    let service = Service::new();
    works(&service.database, &["init"]);
    works(&service.database, &["user", "add", "ann", "--admin"]);
    let backup = service.place().join("backup.tar");
    works(&service.database, &["backup", text(&backup)]);
    let below = service.directory.join("below");
    fs::create_dir(&below).unwrap();
    chown(&below, Some(service.owner.0), Some(service.owner.1)).unwrap();
    let new = |name: &str| below.join(name).join("data");
    works(&Database::in_directory(&new("init")), &["init"]);
    works(&Database::in_directory(&new("restore")), &["restore", text(&backup), "--accept-revived"]);
    works(&service.database, &["move", "--to", text(&new("move"))]);
    service.check("commands that create directories");
    for name in ["init", "restore", "move"] {
        assert!(new(name).join("wardroom.db").exists(), "{name}");
    }
}

/// The copy of replaced rows on PostgreSQL, and media files, belong to the owner of the data directory.
#[tokio::test(flavor = "multi_thread")]
async fn files_beside_a_postgres_database_belong_to_the_service() {
    let service = Service::new();
    service.add_media();
    let database = Database::new(Backend::Postgres).await;
    let data = text(&service.directory).to_owned();
    let run = |arguments: &[&str]| {
        let all: Vec<&str> = arguments.iter().copied().chain(["--data-dir", data.as_str()]).collect();
        works(&database, &all);
        service.check(&arguments.join(" "));
    };
    let backup = service.place().join("backup.tar");
    run(&["backup", text(&backup)]);
    fs::remove_dir_all(service.directory.join("media")).unwrap();
    run(&["restore", text(&backup), "--replace"]);
    assert!(service.directory.join("media/avatars/a.png").exists());
    let kept = fs::read_dir(&service.directory).unwrap();
    let kept = kept.filter(|entry| {
        entry.as_ref().is_ok_and(|entry| entry.file_name().to_string_lossy().starts_with("before-restore-"))
    });
    assert_eq!(kept.count(), 1);
}
