//! Owns the search for native programs and the question whether their version may start.
//!
//! It reads no environment: the folders to search are an argument. It starts no process itself: asking a program for
//! its version goes through a [`ProgramRunner`].

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::time::Duration;

use sha2::Digest as _;
use sha2::Sha256;

use crate::id::ManifestId;
use crate::manifest::Catalog;
use crate::manifest::schema::Image;
use crate::manifest::schema::Manifest;
use crate::manifest::version;
use crate::manifest::version::Version;

/// How long a program may take to print its version.
pub const VERSION_TIMEOUT: Duration = Duration::from_secs(10);

/// Asks a program for its version; `runtime::process::version` has the real one.
pub trait ProgramRunner: Send + Sync {
    /// Runs `program` with `args` and returns what it printed, standard output first.
    ///
    /// Errors: it could not be started, or did not end within `timeout`.
    fn output(&self, program: &Path, args: &[String], timeout: Duration)
    -> std::io::Result<String>;
}

/// Which programs the machine has, and which services they let run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Programs {
    paths: BTreeMap<String, PathBuf>,
    verdicts: BTreeMap<ManifestId, Verdict>,
    digests: BTreeMap<String, String>,
}

/// Whether a manifest's programs let it run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Everything is there.
    Ready,
    /// A program is missing.
    NotInstalled {
        /// Which one, and what to do.
        text: String,
    },
    /// The version must not start, or cannot be told.
    Unsafe {
        /// Why.
        text: String,
    },
}

impl Programs {
    /// Returns where the program `command` lies.
    #[must_use]
    pub fn path(&self, command: &str) -> Option<&Path> {
        self.paths.get(command).map(PathBuf::as_path)
    }

    /// Says whether the services of `manifest` can run; a manifest that was never looked for is not installed.
    #[must_use]
    pub fn verdict(&self, manifest: &ManifestId) -> Verdict {
        self.verdicts
            .get(manifest)
            .cloned()
            .unwrap_or_else(|| Verdict::NotInstalled {
                text: format!("no program was looked for `{manifest}`"),
            })
    }

    /// Returns the digest of our own program `command`, where it was taken. Shape: `sha256:` and 64 hex digits.
    #[must_use]
    pub fn digest(&self, command: &str) -> Option<&str> {
        self.digests.get(command).map(String::as_str)
    }

    /// Takes the digest of every program of `catalog` that is packed into an image of its own. One that cannot be read
    /// has none.
    ///
    /// It reads whole programs: call it where blocking is allowed.
    pub fn take_digests(
        &mut self,
        catalog: &Catalog,
        search: &[PathBuf],
        cache: &mut VersionCache,
    ) {
        let own = catalog
            .iter()
            .map(|(_, entry)| &entry.manifest)
            .filter(|manifest| matches!(manifest.image, Some(Image::Own(_))));
        for manifest in own {
            let command = &manifest.program.command;
            let Some(path) = locate(command, search.iter().map(PathBuf::as_path)) else {
                continue;
            };
            match cache.digest(&path) {
                Ok(digest) => {
                    self.digests.insert(command.clone(), digest);
                    self.paths.insert(command.clone(), path);
                }
                Err(error) => {
                    tracing::warn!(%error, "the program {} could not be read", path.display());
                }
            }
        }
    }

    /// Adds a program that is known to be there and safe, for tests and fakes.
    #[must_use]
    pub fn with(mut self, manifest: &ManifestId, command: &str, path: PathBuf) -> Self {
        self.paths.insert(command.to_owned(), path);
        self.verdicts.insert(manifest.clone(), Verdict::Ready);
        self.digests
            .insert(command.to_owned(), format!("sha256:{}", "0".repeat(64)));
        self
    }
}

/// Versions that programs printed, so that an unchanged program is asked once.
#[derive(Debug, Clone, Default)]
pub struct VersionCache(BTreeMap<ProgramIdentity, String>);

/// Stands in a program's identity for the question about its content.
const CONTENT: &str = "\0content";

impl VersionCache {
    /// Returns the digest of the program at `path`; an unchanged one is read once.
    fn digest(&mut self, path: &Path) -> std::io::Result<String> {
        let identity = ProgramIdentity::of(path, &[CONTENT.to_owned()])?;
        if let Some(known) = self.0.get(&identity) {
            return Ok(known.clone());
        }
        let mut file = fs::File::open(path)?;
        let mut hash = Sha256::new();
        let mut piece = vec![0; 1 << 16];
        loop {
            let read = file.read(&mut piece)?;
            if read == 0 {
                break;
            }
            hash.update(&piece[..read]);
        }
        let digest = format!("sha256:{}", hex::encode(hash.finalize()));
        self.0.insert(identity, digest.clone());
        Ok(digest)
    }
}

/// What makes two programs the same: where it lies, which file it is, and when and how long it was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct ProgramIdentity {
    path: PathBuf,
    device: u64,
    inode: u64,
    modified_s: i64,
    modified_ns: i64,
    size: u64,
    args: Vec<String>,
}

impl ProgramIdentity {
    /// Looks at the program as it lies there now. Errors: it cannot be looked at.
    fn of(program: &Path, args: &[String]) -> std::io::Result<Self> {
        let meta = fs::metadata(program)?;
        Ok(Self {
            path: program.to_owned(),
            device: meta.dev(),
            inode: meta.ino(),
            modified_s: meta.mtime(),
            modified_ns: meta.mtime_nsec(),
            size: meta.size(),
            args: args.to_vec(),
        })
    }
}

/// Looks for the programs of `needed` in the folders of `search`, in their order, and asks those for their version that
/// have unsafe ones. A program that only init jobs run is looked for beside the main one first.
///
/// It starts processes and waits for them: call it where blocking is allowed.
#[must_use]
pub fn find(
    catalog: &Catalog,
    needed: &BTreeSet<ManifestId>,
    search: &[PathBuf],
    runner: &dyn ProgramRunner,
    cache: &mut VersionCache,
) -> Programs {
    let mut programs = Programs::default();
    for manifest in needed.iter().filter_map(|id| catalog.get(id)) {
        let verdict = judge(manifest, search, runner, cache, &mut programs.paths);
        programs.verdicts.insert(manifest.id.clone(), verdict);
    }
    programs
}

/// Judges the programs of `manifest` where `programs` found them, as they lie there now: they may have been replaced
/// or taken away since. A main program that was replaced is asked for its version.
///
/// It may start a process and wait for it: call it where blocking is allowed.
#[must_use]
pub fn again(
    manifest: &Manifest,
    programs: &Programs,
    runner: &dyn ProgramRunner,
    cache: &mut VersionCache,
) -> Verdict {
    let main = match still_there(manifest, programs) {
        Ok(main) => main,
        Err(verdict) => return verdict,
    };
    match unsafe_version(manifest, main, runner, cache) {
        Some(text) => Verdict::Unsafe { text },
        None => Verdict::Ready,
    }
}

/// What [`again`] would say, where no program need be asked for it.
#[must_use]
pub fn known(manifest: &Manifest, programs: &Programs, cache: &VersionCache) -> Option<Verdict> {
    let main = match still_there(manifest, programs) {
        Ok(main) => main,
        Err(verdict) => return Some(verdict),
    };
    if !has_unsafe_versions(manifest) {
        return Some(Verdict::Ready);
    }
    let identity = ProgramIdentity::of(main, &manifest.version.probe_args).ok()?;
    let printed = cache.0.get(&identity)?;
    Some(match unsafe_by(manifest, main, printed) {
        Some(text) => Verdict::Unsafe { text },
        None => Verdict::Ready,
    })
}

/// Returns which version of `manifest`'s program lies there, where it was asked before.
#[must_use]
pub fn version_of(
    manifest: &Manifest,
    programs: &Programs,
    cache: &VersionCache,
) -> Option<Version> {
    let main = programs.path(&manifest.program.command)?;
    let identity = ProgramIdentity::of(main, &manifest.version.probe_args).ok()?;
    version::extract(cache.0.get(&identity)?)
}

/// Returns the main program of `manifest`. Errors: the verdict, where it or one that its init jobs run is gone.
fn still_there<'a>(manifest: &Manifest, programs: &'a Programs) -> Result<&'a Path, Verdict> {
    let jobs = manifest.init.iter().flat_map(|job| &job.steps);
    let commands = jobs.filter_map(|step| Some(&step.run.as_ref()?.command));
    for command in commands.chain([&manifest.program.command]) {
        let there = programs.path(command).is_some_and(executable);
        if !there {
            return Err(not_installed(manifest, command));
        }
    }
    let main = programs.path(&manifest.program.command);
    main.ok_or_else(|| not_installed(manifest, &manifest.program.command))
}

fn judge(
    manifest: &Manifest,
    search: &[PathBuf],
    runner: &dyn ProgramRunner,
    cache: &mut VersionCache,
    paths: &mut BTreeMap<String, PathBuf>,
) -> Verdict {
    let command = &manifest.program.command;
    let Some(main) = locate(command, search.iter().map(PathBuf::as_path)) else {
        return not_installed(manifest, command);
    };
    let mut found = vec![(command.clone(), main.clone())];
    let beside = fs::canonicalize(&main)
        .ok()
        .and_then(|real| real.parent().map(Path::to_owned));
    let jobs = manifest.init.iter().flat_map(|job| &job.steps);
    for run in jobs.filter_map(|step| step.run.as_ref()) {
        let folders = main
            .parent()
            .into_iter()
            .chain(beside.as_deref())
            .chain(search.iter().map(PathBuf::as_path));
        match locate(&run.command, folders) {
            Some(path) => found.push((run.command.clone(), path)),
            None => return not_installed(manifest, &run.command),
        }
    }
    if let Some(text) = unsafe_version(manifest, &main, runner, cache) {
        return Verdict::Unsafe { text };
    }
    paths.extend(found);
    Verdict::Ready
}

fn not_installed(manifest: &Manifest, command: &str) -> Verdict {
    Verdict::NotInstalled {
        text: format!(
            "the program `{command}` of {} was not found; install it on the PATH, or leave the service out",
            manifest.title
        ),
    }
}

/// Finds an executable file called `command`. Folders that are not absolute are passed over: what they mean depends on
/// where the node was started.
fn locate<'a>(command: &str, folders: impl Iterator<Item = &'a Path>) -> Option<PathBuf> {
    if command.contains('/') {
        return None;
    }
    folders
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join(command))
        .find(|path| executable(path))
}

fn executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|meta| meta.is_file() && meta.mode() & 0o111 != 0)
}

fn has_unsafe_versions(manifest: &Manifest) -> bool {
    manifest.version.minimum_safe.is_some() || !manifest.version.refused.is_empty()
}

/// Says why the installed version must not start; what cannot be told is refused where some version is unsafe.
fn unsafe_version(
    manifest: &Manifest,
    program: &Path,
    runner: &dyn ProgramRunner,
    cache: &mut VersionCache,
) -> Option<String> {
    let args = &manifest.version.probe_args;
    if !has_unsafe_versions(manifest) {
        return None;
    }
    if args.is_empty() {
        return Some(untold(manifest, program, "its manifest has no probe_args"));
    }
    match printed(program, args, runner, cache) {
        Ok(printed) => unsafe_by(manifest, program, &printed),
        Err(error) => Some(untold(manifest, program, &error.to_string())),
    }
}

/// Says why a program that printed `printed` must not start.
fn unsafe_by(manifest: &Manifest, program: &Path, printed: &str) -> Option<String> {
    let Some(found) = version::extract(printed) else {
        return Some(untold(manifest, program, "it printed no version"));
    };
    refusal(manifest, &found).map(|why| format!("{}: {why}", program.display()))
}

fn untold(manifest: &Manifest, program: &Path, why: &str) -> String {
    format!(
        "the version of {} could not be told ({why}), and some versions of {} must not start",
        program.display(),
        manifest.title
    )
}

fn refusal(manifest: &Manifest, found: &Version) -> Option<String> {
    manifest
        .version
        .check(found)
        .err()
        .map(|error| error.to_string())
}

fn printed(
    program: &Path,
    args: &[String],
    runner: &dyn ProgramRunner,
    cache: &mut VersionCache,
) -> std::io::Result<String> {
    let identity = ProgramIdentity::of(program, args)?;
    if let Some(known) = cache.0.get(&identity) {
        return Ok(known.clone());
    }
    let printed = runner.output(program, args, VERSION_TIMEOUT)?;
    cache.0.insert(identity, printed.clone());
    Ok(printed)
}

#[cfg(test)]
mod tests;
