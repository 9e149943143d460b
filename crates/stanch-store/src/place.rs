//! Where the journal lies: its directory, its lock, and the file system below.
//!
//! The journal keeps its promise only where `fsync` and advisory locks mean what they say, so
//! network file systems are refused before anything is written. Nothing here knows SQLite.

use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use stanch_model::port::JournalError;

/// The file name of the journal inside its directory.
pub const FILE: &str = "journal.db";

/// The file name of the lock beside it; holds the process id of the one writer.
pub const LOCK: &str = "journal.lock";

/// An error of opening, with the path in front.
pub(crate) fn cannot_open(path: &Path, why: impl std::fmt::Display) -> JournalError {
    JournalError::Io { doing: "opened", why: format!("{}: {why}", path.display()) }
}

/// The directory, held by this process alone until dropped.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) file: PathBuf,
    pub(crate) file_system: Option<String>,
    _lock: File,
}

impl Place {
    /// Creates the directory (0700) and the empty file (0600) where missing, and takes the lock.
    pub(crate) fn take(dir: &Path) -> Result<Place, JournalError> {
        create_dir(dir)?;
        let file_system = check_file_system(dir)?;
        let lock = take_lock(dir)?;
        let file = dir.join(FILE);
        create_file(&file)?;
        sync_dir(dir)?;
        Ok(Place { file, file_system, _lock: lock })
    }
}

fn create_dir(dir: &Path) -> Result<(), JournalError> {
    if dir.is_dir() {
        return Ok(());
    }
    let parent = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        create_dir(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(dir) {
        Err(e) if !dir.is_dir() => Err(cannot_open(dir, format!("the directory cannot be created: {e}"))),
        _ => sync_dir(parent),
    }
}

fn create_file(file: &Path) -> Result<(), JournalError> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(file)
        .and_then(|f| {
            // Alerts hold secrets of the firm: take away what an earlier copy may have granted.
            if f.metadata()?.permissions().mode() & 0o077 != 0 {
                f.set_permissions(Permissions::from_mode(0o600))?;
            }
            f.sync_all()
        })
        .map_err(|e| cannot_open(file, e))
}

/// Makes new names in `dir` survive a power cut.
pub(crate) fn sync_dir(dir: &Path) -> Result<(), JournalError> {
    File::open(dir)
        .and_then(|d| d.sync_all())
        .map_err(|e| cannot_open(dir, format!("the directory cannot be made durable: {e}")))
}

fn take_lock(dir: &Path) -> Result<File, JournalError> {
    let path = dir.join(LOCK);
    let failed = |e: std::io::Error| cannot_open(&path, format!("the lock file cannot be used: {e}"));
    let mut lock = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&path)
        .map_err(failed)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let known = lock.read_to_string(&mut holder).ok().and_then(|_| holder.trim().parse::<u32>().ok());
            let who = known.map_or("another process".to_owned(), |id| format!("process {id}"));
            return Err(cannot_open(
                dir,
                format!("{who} is writing this journal; stop it first or choose another data directory"),
            ));
        }
        Err(TryLockError::Error(e)) => return Err(failed(e)),
    }
    // Writing and syncing our process id also proves, before any alert is acknowledged, that fsync works here.
    lock.set_len(0)
        .and_then(|()| lock.rewind())
        .and_then(|()| writeln!(lock, "{}", std::process::id()))
        .and_then(|()| lock.sync_all())
        .map_err(failed)?;
    Ok(lock)
}

/// File systems on which an answered `fsync` or a lock may mean nothing.
///
/// Source: <https://www.sqlite.org/wal.html> ("does not work over a network filesystem") and
/// <https://www.sqlite.org/howtocorrupt.html>, section 2.1.
fn is_remote(file_system: &str) -> bool {
    const REMOTE: &[&str] = &[
        "9p",
        "afs",
        "beegfs",
        "ceph",
        "cifs",
        "coda",
        "davfs",
        "gfs2",
        "glusterfs",
        "gpfs",
        "lustre",
        "ncpfs",
        "ocfs2",
        "orangefs",
        "pvfs2",
        "smb3",
        "smbfs",
    ];
    file_system.starts_with("nfs")
        || file_system == "fuse"
        || file_system.starts_with("fuse.")
        || REMOTE.contains(&file_system)
}

fn check_file_system(dir: &Path) -> Result<Option<String>, JournalError> {
    let real = dir.canonicalize().map_err(|e| cannot_open(dir, e))?;
    // Absent outside Linux; then there is nothing to ask.
    let Ok(mounts) = std::fs::read("/proc/self/mountinfo") else { return Ok(None) };
    let found = file_system_of(&String::from_utf8_lossy(&mounts), &real);
    match found {
        Some(kind) if is_remote(&kind) => Err(cannot_open(
            dir,
            format!("it lies on {kind}, where neither fsync nor locks can be trusted; choose a local disk"),
        )),
        other => Ok(other),
    }
}

/// The type of the file system that `path` lies on, read from the text of `/proc/self/mountinfo`.
///
/// Source: proc_pid_mountinfo(5): field 5 is the mount point with octal escapes, the type is the first
/// field after the lone `-`.
fn file_system_of(mountinfo: &str, path: &Path) -> Option<String> {
    let mut best: Option<(usize, &str)> = None;
    for line in mountinfo.lines() {
        let Some((left, right)) = line.split_once(" - ") else { continue };
        let (Some(point), Some(kind)) = (left.split(' ').nth(4), right.split(' ').next()) else { continue };
        let point = PathBuf::from(unescape(point));
        let depth = point.components().count();
        // `>=`: of two mounts on one point the later covers the earlier.
        if path.starts_with(&point) && best.is_none_or(|(d, _)| depth >= d) {
            best = Some((depth, kind));
        }
    }
    best.map(|(_, kind)| kind.to_owned())
}

fn unescape(point: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(point.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &str = "\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
28 27 0:25 / /mnt/share rw - nfs4 nas:/x rw
29 27 0:26 / /mnt/share/local\\040disk rw shared:1 - xfs /dev/vdb rw
30 27 0:27 / /srv rw - ext4 /dev/vdc rw
31 27 0:28 / /srv rw - fuse.sshfs host:/ rw
odd line
";

    #[test]
    fn the_deepest_and_latest_mount_decides() {
        let check = |path: &str| file_system_of(MOUNTS, Path::new(path)).unwrap();
        assert_eq!(check("/var/lib/stanch"), "ext4");
        assert_eq!(check("/mnt/share/stanch"), "nfs4");
        assert_eq!(check("/mnt/shared"), "ext4");
        assert_eq!(check("/mnt/share/local disk/x"), "xfs");
        assert_eq!(check("/srv/stanch"), "fuse.sshfs");
        assert_eq!(file_system_of("", Path::new("/")), None);
    }

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        for remote in ["nfs", "nfs4", "cifs", "smb3", "9p", "fuse.sshfs", "fuse.glusterfs", "ceph"] {
            assert!(is_remote(remote), "{remote}");
        }
        for local in ["ext4", "xfs", "btrfs", "zfs", "overlay", "tmpfs", "fuseblk", "f2fs"] {
            assert!(!is_remote(local), "{local}");
        }
    }

    #[test]
    fn a_second_writer_is_told_who_holds_the_directory() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("a/b");
        let held = Place::take(&deep).unwrap();
        let text = Place::take(&deep).unwrap_err().to_string();
        assert!(text.contains(&format!("process {} is writing this journal", std::process::id())), "{text}");
        drop(held);
        assert!(Place::take(&deep).is_ok());
    }

    #[test]
    fn directory_and_files_are_for_their_owner_only() {
        let dir = tempfile::tempdir().unwrap();
        let deep = dir.path().join("data");
        let _held = Place::take(&deep).unwrap();
        let mode = |p: PathBuf| std::fs::metadata(p).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(deep.clone()), mode(deep.join(FILE)), mode(deep.join(LOCK))), (0o700, 0o600, 0o600));
    }
}
