//! A disk whose power can be cut: a file system in a file, mounted through a loop device.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Size of the file; it is sparse.
const MIB: u64 = 512;

/// Why power cannot be cut here, if it cannot.
pub(crate) fn missing() -> Option<String> {
    let root = std::fs::read_to_string("/proc/self/status")
        .is_ok_and(|s| s.lines().any(|l| l.starts_with("Uid:") && l.split_whitespace().nth(2) == Some("0")));
    if !root {
        return Some("only root can mount".to_owned());
    }
    if !Path::new("/dev/loop-control").exists() {
        return Some("there are no loop devices".to_owned());
    }
    let lacks = |program: &str| Command::new(program).arg("-V").output().is_err();
    if lacks("xfs_io") {
        return Some("xfs_io is not installed: apt-get install xfsprogs".to_owned());
    }
    let tried =
        tempfile::tempdir().map_err(Into::into).and_then(|dir| Disk::new(dir.path(), "ext4").map(drop));
    tried.err().map(|e| format!("{e:#}"))
}

/// The file systems to try: ext4, and XFS where it can be made.
pub(crate) fn kind(number: usize) -> &'static str {
    let xfs = Command::new("mkfs.xfs").arg("-V").output().is_ok();
    if xfs && number % 2 == 1 { "xfs" } else { "ext4" }
}

/// A mounted file system; unmounted when dropped. It keeps one loop device for all its life: a
/// device that is let go at each unmount may be taken by another disk before we have it again.
pub(crate) struct Disk {
    device: String,
    pub(crate) mount: PathBuf,
}

impl Disk {
    /// Makes a file system in `dir` and mounts it.
    pub(crate) fn new(dir: &Path, kind: &str) -> Result<Disk> {
        let (image, mount) = (dir.join("disk.img"), dir.join("disk"));
        std::fs::create_dir(&mount)?;
        std::fs::File::create(&image)?.set_len(MIB << 20)?;
        let device = run("losetup", &["--find", "--show", &image.to_string_lossy()])?;
        let disk = Disk { device: device.trim().to_owned(), mount };
        match kind {
            "xfs" => run("mkfs.xfs", &["-q", "-f", &disk.device])?,
            _ => run("mkfs.ext4", &["-q", "-F", &disk.device])?,
        };
        disk.mount()?;
        Ok(disk)
    }

    fn mount(&self) -> Result<()> {
        run("mount", &[&self.device, &self.mount.to_string_lossy()]).map(drop)
    }

    /// Stops the file system: nothing that was not synced before reaches the disk, the log included.
    pub(crate) fn cut(&self) -> Result<()> {
        run("xfs_io", &["-x", "-c", "shutdown", &self.mount.to_string_lossy()]).map(drop)
    }

    /// Power is back: unmounts what is left and mounts what is on the disk.
    pub(crate) fn restore(&self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn unmount(&self) -> Result<()> {
        let mount = self.mount.to_string_lossy().into_owned();
        // The kernel may hold files of a killed process for a moment.
        for _ in 0..50 {
            if run("umount", &[&mount]).is_ok() {
                return Ok(());
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        run("umount", &[&mount]).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.unmount().ok();
        run("losetup", &["--detach", &self.device]).ok();
    }
}

/// Runs a program to its end; returns what it printed.
fn run(program: &str, args: &[&str]) -> Result<String> {
    let out =
        Command::new(program).args(args).output().with_context(|| format!("{program} cannot be run"))?;
    if !out.status.success() {
        bail!("{program} {}: {}", args.join(" "), String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}
