use std::os::unix::fs::{MetadataExt as _, symlink};

use super::*;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_directory_that_everybody_may_write_is_refused_and_so_is_one_below_it() {
    let temp = tempfile::tempdir().unwrap();
    let (above, inner) = (temp.path().join("above"), temp.path().join("above/inner"));
    fs::create_dir_all(&inner).unwrap();
    let link = temp.path().join("link");
    symlink(&inner, &link).unwrap();
    mode(&inner, 0o1777);
    assert!(check_parent(&inner).is_ok());
    mode(&inner, 0o777);
    assert!(check_parent(&inner).is_err());
    for (modes, refused) in [
        ((0o755, 0o700), None),
        ((0o755, 0o770), None),
        ((0o1777, 0o755), None),
        ((0o755, 0o777), Some(&inner)),
        ((0o755, 0o1777), Some(&inner)),
        ((0o755, 0o702), Some(&inner)),
        ((0o777, 0o700), Some(&above)),
    ] {
        mode(&above, modes.0);
        mode(&inner, modes.1);
        for path in [&inner, &link] {
            let checked = check_directory(path);
            match refused {
                None => assert_eq!(checked.unwrap(), inner.canonicalize().unwrap()),
                Some(named) => {
                    let message = checked.unwrap_err().to_string();
                    let named = named.canonicalize().unwrap();
                    assert!(
                        message.contains(&format!("chmod o-w {}", named.display())),
                        "{modes:?}: {message}"
                    );
                }
            }
        }
    }
}

/// Whatever is found in place of a directory or a file, no link is followed and no call blocks.
#[test]
fn no_link_is_followed_below_a_folder() {
    let temp = tempfile::tempdir().unwrap();
    let (root, away) = (temp.path().join("root"), temp.path().join("away"));
    fs::create_dir_all(root.join("room")).unwrap();
    fs::create_dir(&away).unwrap();
    fs::write(root.join("room/file"), "ours").unwrap();
    fs::write(away.join("file"), "secret").unwrap();
    symlink(&away, root.join("door")).unwrap();
    symlink(away.join("file"), root.join("room/link")).unwrap();
    symlink(&root, temp.path().join("root link")).unwrap();
    rustix::fs::mknodat(CWD, root.join("pipe"), FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    assert!(is_not_directory(&OpenDirectory::open(&temp.path().join("root link")).err().unwrap()));
    let folder = OpenDirectory::open(&root).unwrap();
    assert!(folder.file(Path::new("room/file")).unwrap().is_some());
    for nothing in
        ["door/file", "room/link", "room", "pipe", "gone", "gone/file", "room/file/more", "room/../room/file"]
    {
        assert!(folder.file(Path::new(nothing)).unwrap().is_none(), "{nothing}");
    }
    for no_folder in ["door", "room/file", "pipe", "room/link"] {
        assert!(is_not_directory(&folder.open_below(Path::new(no_folder)).err().unwrap()), "{no_folder}");
        assert!(
            folder.create_below(&Path::new(no_folder).join("x"), DirectoryMode::Exact(0o755)).is_err(),
            "{no_folder}"
        );
    }
    assert!(matches!(open_file(&root.join("room/link")), Err(UnsafePath::SymbolicLink(_))));
    assert!(matches!(open_file(&root.join("pipe")), Err(UnsafePath::NotAFile(_))));
    let mut kinds = folder.entries().unwrap();
    kinds.sort_by(|one, other| one.0.cmp(&other.0));
    let kinds: Vec<_> = kinds.iter().map(|(name, kind)| (name.to_str().unwrap(), *kind)).collect();
    assert_eq!(
        kinds,
        [("door", EntryKind::Link), ("pipe", EntryKind::Other), ("room", EntryKind::Directory)]
    );
    let created = folder.create_below(Path::new("room/new/deep"), DirectoryMode::Exact(0o755)).unwrap();
    let (from, coming) = (OpenDirectory::open(temp.path()).unwrap(), temp.path().join("coming"));
    fs::write(&coming, "new").unwrap();
    created.place_file(&from, Path::new("coming"), OsStr::new("file")).unwrap();
    assert_eq!(fs::read_to_string(root.join("room/new/deep/file")).unwrap(), "new");
    assert_eq!(fs::metadata(root.join("room/new")).unwrap().permissions().mode() & 0o7777, 0o755);
    // A symbolic link of this name is replaced; its target stays unchanged.
    fs::write(&coming, "newer").unwrap();
    let room = folder.open_below(Path::new("room")).unwrap();
    room.place_file(&from, Path::new("coming"), OsStr::new("link")).unwrap();
    assert_eq!(fs::read_to_string(away.join("file")).unwrap(), "secret");
}

/// The account `nobody`.
const NOBODY: u32 = 65_534;

/// Gives a path away, if root runs the tests. Without root, nothing can be given away and nothing is.
fn belongs_to(path: &Path, user: u32) -> bool {
    rustix::process::geteuid().is_root() && std::os::unix::fs::chown(path, Some(user), Some(user)).is_ok()
}

/// Guards against root giving away what another account put in the place of a new directory or file.
#[test]
fn finding_only_what_was_created_here_is_given_away() {
    let temp = tempfile::tempdir().unwrap();
    let (root, away) = (temp.path().join("root"), temp.path().join("away"));
    fs::create_dir(&root).unwrap();
    fs::create_dir(&away).unwrap();
    belongs_to(&root, NOBODY);
    let before = FileOwner::from(&fs::metadata(&away).unwrap());
    symlink(&away, root.join("door")).unwrap();
    let folder = OpenDirectory::open(&root).unwrap();
    let mode = DirectoryMode::LessUmask(0o777);
    let nobody = FileOwner { user: NOBODY, group: NOBODY };
    assert!(folder.create(OsStr::new("door"), mode, nobody).is_err());
    assert!(folder.create_below(Path::new("door/new"), mode).is_err());
    // What does not exist has no directory above it.
    assert!(create_directory(&root.join("gone/../door/new"), mode).is_err());
    assert_eq!(
        (FileOwner::from(&fs::metadata(&away).unwrap()), fs::read_dir(&away).unwrap().count()),
        (before, 0)
    );
    create_directory(&root.join("new/deep"), mode).unwrap();
    for created in ["new", "new/deep"] {
        let owner = FileOwner::from(&fs::metadata(&root).unwrap());
        assert_eq!(FileOwner::from(&fs::metadata(root.join(created)).unwrap()), owner, "{created}");
    }
    let [file, name] = ["file", "another name"].map(|name| temp.path().join(name));
    fs::write(&file, "").unwrap();
    fs::hard_link(&file, &name).unwrap();
    let opened = File::open(&file).unwrap();
    let is_root = rustix::process::geteuid().is_root();
    assert_eq!(nobody.give(&opened).is_err(), is_root);
    fs::remove_file(&name).unwrap();
    // It belongs to someone else now.
    if belongs_to(&file, 1) {
        assert!(nobody.give(&opened).is_err());
        assert!(FileOwner { user: 1, group: 1 }.give(&opened).is_ok());
    }
    assert!(!belongs_to(&file, 0) || nobody.give(&opened).is_ok());
    assert_eq!(opened.metadata().unwrap().uid() == NOBODY, is_root);
}

/// Guards against a secret that goes to the account which put a file in its place beforehand.
#[test]
fn finding_the_owner_of_a_replaced_file_is_trusted_in_a_safe_directory_only() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("file");
    let folder = OpenDirectory::open(temp.path()).unwrap();
    assert_eq!(folder.trusted_owner_of(OsStr::new("file")).unwrap(), None);
    fs::write(&file, "").unwrap();
    for (owner, planter, bits, is_trusted) in [
        (0, NOBODY, 0o755, true),
        (NOBODY, NOBODY, 0o755, true),
        (NOBODY, NOBODY, 0o775, true),
        (NOBODY, 1, 0o755, false),
        (1, 0, 0o755, false),
        (0, NOBODY, 0o775, false),
        (0, NOBODY, 0o1777, false),
        (NOBODY, NOBODY, 0o1777, false),
    ] {
        mode(temp.path(), bits);
        if belongs_to(temp.path(), owner) && belongs_to(&file, planter) {
            let trusted = folder.trusted_owner_of(OsStr::new("file")).unwrap();
            let expected = is_trusted.then_some(FileOwner { user: planter, group: planter });
            assert_eq!(trusted, expected, "{owner} {planter} {bits:o}");
        } else {
            let trusted = folder.trusted_owner_of(OsStr::new("file")).unwrap();
            assert_eq!(trusted.is_some(), bits & 0o002 == 0, "{bits:o}");
        }
    }
    mode(temp.path(), 0o700);
    belongs_to(temp.path(), 0);
}
