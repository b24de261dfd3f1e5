use std::collections::BTreeSet;

use super::*;

fn packed(contents: &Contents) -> (tempfile::TempDir, Packed) {
    let folder = tempfile::tempdir().unwrap();
    let packed = pack(contents, folder.path()).unwrap();
    (folder, packed)
}

fn names(packed: &Packed) -> BTreeSet<String> {
    let mut archive = tar::Archive::new(fs::File::open(&packed.archive).unwrap());
    let mut found = BTreeSet::new();
    for entry in archive.entries().unwrap() {
        let entry = entry.unwrap();
        if entry.path().unwrap().ends_with("layer.tar") {
            let mut layer = tar::Archive::new(entry);
            for inner in layer.entries().unwrap() {
                let inner = inner.unwrap();
                assert_eq!(inner.header().mtime().unwrap(), 0);
                assert_eq!(inner.header().uid().unwrap(), 0);
                found.insert(
                    inner
                        .path()
                        .unwrap()
                        .to_string_lossy()
                        .trim_end_matches('/')
                        .to_owned(),
                );
            }
        }
    }
    found
}

fn programs(paths: &[&str]) -> Contents {
    Contents {
        programs: paths.iter().map(PathBuf::from).collect(),
        with: Vec::new(),
    }
}

#[test]
fn the_same_programs_give_the_same_bytes() {
    let contents = programs(&["/usr/bin/tar", "/usr/bin/env"]);
    let (_one, first) = packed(&contents);
    let (_two, second) = packed(&programs(&["/usr/bin/env", "/usr/bin/tar"]));
    assert_eq!(first.id, second.id);
    assert_eq!(
        fs::read(&first.archive).unwrap(),
        fs::read(&second.archive).unwrap()
    );
    let (_three, other) = packed(&programs(&["/usr/bin/env"]));
    assert_ne!(first.id, other.id);
}

#[test]
fn a_program_has_its_interpreter_and_every_library_with_it() {
    let (_folder, packed) = packed(&programs(&["/usr/bin/tar"]));
    let names = names(&packed);
    for wanted in ["usr/local/bin/tar", "etc/passwd", "tmp", "volumes"] {
        assert!(names.contains(wanted), "{wanted} is missing: {names:?}");
    }
    let has = |part: &str| names.iter().any(|name| name.contains(part));
    assert!(has("ld-linux") && has("libc.so.6"), "{names:?}");
    // A library of a library.
    assert!(has("libpcre2") || has("libacl"), "{names:?}");
}

#[test]
fn what_is_carried_along_stands_at_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let share = folder.path().join("share");
    fs::create_dir_all(share.join("deep")).unwrap();
    fs::write(share.join("deep/words"), "hello").unwrap();
    std::os::unix::fs::symlink("deep/words", share.join("link")).unwrap();
    let contents = Contents {
        with: vec![share.clone()],
        ..programs(&["/usr/bin/env"])
    };
    let (_folder, packed) = packed(&contents);
    let at = |name: &str| {
        share
            .join(name)
            .strip_prefix("/")
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    let names = names(&packed);
    assert!(
        names.contains(&at("deep/words")) && names.contains(&at("link")),
        "{names:?}"
    );
}

#[test]
fn what_cannot_be_packed_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("script");
    fs::write(&script, "#!/bin/sh\n").unwrap();
    let error = |contents: &Contents| pack(contents, folder.path()).unwrap_err().to_string();
    assert_eq!(error(&Contents::default()), "no program was named");
    assert!(error(&programs(&["usr/bin/env"])).contains("not an absolute path"));
    assert!(error(&programs(&["/usr/../bin/env"])).contains("not an absolute path"));
    assert!(error(&programs(&["/no/such/program"])).contains("could not be read"));
    assert!(error(&programs(&[script.to_str().unwrap()])).contains("is no program"));
    assert!(
        error(&programs(&["/usr/bin/env", "/bin/env"])).contains("two programs are called env")
    );
}
