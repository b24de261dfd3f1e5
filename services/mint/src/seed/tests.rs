use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use tempfile::TempDir;

use super::{Seed, SeedError};

const DIGITS: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393A3B3C3D3E3F";

fn file(content: &str, mode: u32) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("seed");
    fs::write(&file, content).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
    (folder, file)
}

#[test]
fn seed_is_read_with_and_without_a_newline() {
    for content in [DIGITS.to_owned(), format!("{DIGITS}\n")] {
        let (_folder, file) = file(&content, 0o600);
        let seed = Seed::read(&file).unwrap();
        assert_eq!(seed.expose().len(), 64);
        assert_eq!(seed.expose()[..3], [0, 1, 2]);
        assert_eq!(seed.expose()[63], 0x3f);
    }
}

#[test]
fn anything_but_128_digits_is_refused() {
    let long = format!("{DIGITS}0");
    let spaced = format!(" {}", &DIGITS[1..]);
    let lines = format!("{DIGITS}\n\n");
    let letters = DIGITS.replace('f', "g");
    for content in ["", "00", &DIGITS[..64], &long, &spaced, &lines, &letters] {
        let (_folder, file) = file(content, 0o600);
        assert!(
            matches!(Seed::read(&file), Err(SeedError::Malformed { .. })),
            "{content:?}"
        );
    }
}

#[test]
fn one_byte_repeated_is_refused() {
    let (_folder, file) = file(&"00".repeat(64), 0o600);
    assert!(matches!(
        Seed::read(&file),
        Err(SeedError::Degenerate { .. })
    ));
}

#[test]
fn modes_that_let_strangers_in_are_refused_and_group_reading_is_not() {
    for (mode, accepted) in [
        (0o600, true),
        (0o400, true),
        (0o440, true),
        (0o644, false),
        (0o602, false),
        (0o620, false),
    ] {
        let (_folder, file) = file(DIGITS, mode);
        assert_eq!(Seed::read(&file).is_ok(), accepted, "{mode:o}");
    }
}

#[test]
fn seed_is_never_printed() {
    let (_folder, file) = file(DIGITS, 0o600);
    assert_eq!(
        format!("{:?}", Seed::read(&file).unwrap()),
        "Seed([redacted])"
    );
}
