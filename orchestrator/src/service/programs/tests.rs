use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tempfile::TempDir;

use super::ProgramRunner;
use super::Programs;
use super::Verdict;
use super::VersionCache;
use super::again;
use super::find;
use super::known;
use crate::manifest::Catalog;
use crate::runtime::process::version::ProcessRunner;
use crate::service::resolve::fixture::CHAIN;
use crate::service::resolve::fixture::manifest_id;

/// Answers for every program by the same closure.
struct Answering<F>(F);

impl<F> ProgramRunner for Answering<F>
where
    F: Fn(&Path, &[String]) -> io::Result<String> + Send + Sync,
{
    fn output(&self, program: &Path, args: &[String], _: Duration) -> io::Result<String> {
        (self.0)(program, args)
    }
}

fn install(folder: &Path, program: &str, mode: u32) -> PathBuf {
    let path = folder.join(program);
    fs::write(&path, "#!/bin/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn catalog() -> Catalog {
    Catalog::of_texts([("chain.toml", CHAIN)]).unwrap()
}

fn search(folders: &[&Path], printed: &'static str, cache: &mut VersionCache) -> (Programs, usize) {
    let asked = AtomicUsize::new(0);
    let runner = Answering(|_: &Path, args: &[String]| {
        asked.fetch_add(1, Ordering::Relaxed);
        assert_eq!(args, ["--version"]);
        match printed {
            "hangs" => Err(io::ErrorKind::TimedOut.into()),
            printed => Ok(printed.to_owned()),
        }
    });
    let needed = BTreeSet::from([manifest_id("chain")]);
    let folders: Vec<PathBuf> = folders.iter().map(|folder| folder.to_path_buf()).collect();
    let programs = find(&catalog(), &needed, &folders, &runner, cache);
    (programs, asked.into_inner())
}

fn verdict(printed: &'static str) -> Verdict {
    let folder = TempDir::new().unwrap();
    install(folder.path(), "chaind", 0o755);
    let (programs, _) = search(&[folder.path()], printed, &mut VersionCache::default());
    programs.verdict(&manifest_id("chain"))
}

#[test]
fn the_first_folder_that_has_the_program_wins() {
    let (first, second) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let expected = install(first.path(), "chaind", 0o755);
    install(second.path(), "chaind", 0o755);
    let folders = [first.path(), second.path()];
    let (programs, _) = search(&folders, "chaind v31.1", &mut VersionCache::default());
    assert_eq!(programs.path("chaind"), Some(expected.as_path()));
    assert_eq!(programs.verdict(&manifest_id("chain")), Verdict::Ready);
}

#[test]
fn a_file_that_nobody_may_execute_and_a_folder_are_no_programs() {
    let folder = TempDir::new().unwrap();
    install(folder.path(), "chaind", 0o644);
    let other = TempDir::new().unwrap();
    fs::create_dir(other.path().join("chaind")).unwrap();
    let folders = [folder.path(), other.path()];
    let (programs, asked) = search(&folders, "", &mut VersionCache::default());
    assert_eq!(asked, 0);
    assert_eq!(
        programs.verdict(&manifest_id("chain")),
        Verdict::NotInstalled {
            text: "the program `chaind` of A chain was not found; install it on the PATH, or leave the service out"
                .to_owned()
        }
    );
}

#[test]
fn a_folder_that_is_not_absolute_is_passed_over() {
    let (programs, _) = search(
        &[Path::new("."), Path::new("")],
        "",
        &mut VersionCache::default(),
    );
    assert!(matches!(
        programs.verdict(&manifest_id("chain")),
        Verdict::NotInstalled { .. }
    ));
}

#[test]
fn safe_versions_and_local_builds_are_ready() {
    for printed in [
        "Bitcoin Core daemon version v31.1.0",
        "version v30.99.0-dirty",
        "chaind 29.0",
    ] {
        assert_eq!(verdict(printed), Verdict::Ready, "{printed}");
    }
}

#[test]
fn refused_old_and_untold_versions_are_unsafe_and_say_why() {
    let refused = [
        "version v30.0.0",
        "version v30.1",
        "version v28.2",
        "no number here",
        "hangs",
    ];
    let said = [
        "delete wallet files",
        "delete wallet files",
        "older than 29.0",
        "printed no version",
        "timed out",
    ];
    for (printed, said) in refused.into_iter().zip(said) {
        match verdict(printed) {
            Verdict::Unsafe { text } => assert!(text.contains(said), "{printed}: {text}"),
            other => panic!("{printed}: {other:?}"),
        }
    }
}

#[test]
fn an_unchanged_program_is_asked_once() {
    let folder = TempDir::new().unwrap();
    let program = install(folder.path(), "chaind", 0o755);
    let mut cache = VersionCache::default();
    assert_eq!(search(&[folder.path()], "v31.1", &mut cache).1, 1);
    assert_eq!(search(&[folder.path()], "v31.1", &mut cache).1, 0);
    fs::write(&program, "#!/bin/sh\n# another one\n").unwrap();
    assert_eq!(search(&[folder.path()], "v30.0", &mut cache).1, 1);
    let (programs, _) = search(&[folder.path()], "v31.1", &mut cache);
    assert!(matches!(
        programs.verdict(&manifest_id("chain")),
        Verdict::Unsafe { .. }
    ));
}

#[test]
fn a_time_out_is_not_remembered() {
    let folder = TempDir::new().unwrap();
    install(folder.path(), "chaind", 0o755);
    let mut cache = VersionCache::default();
    search(&[folder.path()], "hangs", &mut cache);
    let (programs, asked) = search(&[folder.path()], "v31.1", &mut cache);
    assert_eq!(
        (asked, programs.verdict(&manifest_id("chain"))),
        (1, Verdict::Ready)
    );
}

#[test]
fn the_program_of_an_init_job_is_found_beside_the_real_main_program() {
    let (path, real) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let main = install(real.path(), "postgres", 0o755);
    std::os::unix::fs::symlink(&main, path.path().join("postgres")).unwrap();
    let catalog = Catalog::load(None).unwrap();
    let needed = BTreeSet::from([manifest_id("postgres")]);
    let runner = Answering(|_: &Path, _: &[String]| Ok("postgres (PostgreSQL) 15.13".to_owned()));
    let look = || {
        let folders = [path.path().to_path_buf()];
        find(
            &catalog,
            &needed,
            &folders,
            &runner,
            &mut VersionCache::default(),
        )
    };
    let text = match look().verdict(&manifest_id("postgres")) {
        Verdict::NotInstalled { text } => text,
        other => panic!("{other:?}"),
    };
    assert!(text.contains("`initdb`"), "{text}");
    let initdb = install(real.path(), "initdb", 0o755);
    install(real.path(), "psql", 0o755);
    let programs = look();
    assert_eq!(programs.verdict(&manifest_id("postgres")), Verdict::Ready);
    let real_initdb = initdb.canonicalize().unwrap();
    assert_eq!(
        programs.path("initdb").map(Path::to_path_buf),
        Some(real_initdb)
    );
}

#[test]
fn a_real_program_is_really_asked() {
    let folder = TempDir::new().unwrap();
    let program = install(folder.path(), "chaind", 0o755);
    let needed = BTreeSet::from([manifest_id("chain")]);
    let folders = [folder.path().to_path_buf()];
    let verdict = |printed: &str| {
        fs::write(
            &program,
            format!("#!/bin/sh\necho \"chaind $1: {printed}\"\n"),
        )
        .unwrap();
        let mut cache = VersionCache::default();
        let programs = find(&catalog(), &needed, &folders, &ProcessRunner, &mut cache);
        programs.verdict(&manifest_id("chain"))
    };
    assert_eq!(verdict("version v31.1.0"), Verdict::Ready);
    assert!(matches!(verdict("version v30.0.0"), Verdict::Unsafe { .. }));
}

#[test]
fn a_program_that_was_replaced_is_asked_again_and_one_that_went_is_missed() {
    let folder = TempDir::new().unwrap();
    let program = install(folder.path(), "chaind", 0o755);
    let mut cache = VersionCache::default();
    let (programs, _) = search(&[folder.path()], "chaind version v31.1.0", &mut cache);
    let catalog = catalog();
    let chain = catalog.get(&manifest_id("chain")).unwrap();
    let never = Answering(|_: &Path, _: &[String]| panic!("it is the one that was asked"));
    assert_eq!(known(chain, &programs, &cache), Some(Verdict::Ready));
    assert_eq!(again(chain, &programs, &never, &mut cache), Verdict::Ready);

    // As package managers do it: another file under the same name, here even of the same length and time.
    let old = fs::metadata(&program).unwrap();
    let other = install(folder.path(), "chaind.new", 0o755);
    let file = fs::File::options().write(true).open(&other).unwrap();
    file.set_modified(old.modified().unwrap()).unwrap();
    fs::rename(&other, &program).unwrap();
    assert_eq!(known(chain, &programs, &cache), None);
    let unsafe_one = Answering(|_: &Path, _: &[String]| Ok("chaind version v30.0.0".to_owned()));
    let verdict = again(chain, &programs, &unsafe_one, &mut cache);
    assert!(matches!(verdict, Verdict::Unsafe { .. }), "{verdict:?}");
    assert_eq!(known(chain, &programs, &cache), Some(verdict));

    fs::remove_file(&program).unwrap();
    let gone = known(chain, &programs, &cache).unwrap();
    assert!(matches!(gone, Verdict::NotInstalled { .. }), "{gone:?}");
    assert_eq!(again(chain, &programs, &never, &mut cache), gone);
}
