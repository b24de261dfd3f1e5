use std::os::unix::fs::symlink;

use super::*;

#[test]
fn a_file_below_the_volume_is_read() {
    let volume = tempfile::tempdir().unwrap();
    std::fs::create_dir(volume.path().join("tls")).unwrap();
    std::fs::write(volume.path().join("tls/cert"), b"bytes").unwrap();
    assert_eq!(read(volume.path(), "tls/cert", 5).unwrap(), b"bytes");
    assert_eq!(read(volume.path(), "./tls/cert", 5).unwrap(), b"bytes");
    assert!(exists(volume.path(), "tls/cert").unwrap());
}

#[test]
fn a_longer_file_is_refused_rather_than_cut() {
    let volume = tempfile::tempdir().unwrap();
    std::fs::write(volume.path().join("cert"), b"bytes!").unwrap();
    let refused = read(volume.path(), "cert", 5).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
}

#[test]
fn no_path_leads_out_of_the_volume() {
    let outside = tempfile::tempdir().unwrap();
    std::fs::write(outside.path().join("secret"), b"secret").unwrap();
    let volume = tempfile::tempdir().unwrap();
    symlink(outside.path(), volume.path().join("folder")).unwrap();
    symlink(outside.path().join("secret"), volume.path().join("link")).unwrap();
    for path in ["../secret", "/etc/hostname", "folder/secret", "link", ""] {
        assert!(read(volume.path(), path, 100).is_err(), "{path}");
    }
    // A link that dangles is not "nothing": whether the job was done is then uncertain.
    assert!(exists(volume.path(), "folder/secret").is_err());
}

#[test]
fn a_pipe_in_a_volume_hangs_nobody() {
    let volume = tempfile::tempdir().unwrap();
    let pipe = volume.path().join("cert");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        Mode::from(0o600),
        0,
    )
    .unwrap();
    assert!(read(volume.path(), "cert", 100).is_err());
}

#[test]
fn what_is_not_there_does_not_exist() {
    let volume = tempfile::tempdir().unwrap();
    assert!(!exists(volume.path(), "a/b").unwrap());
    assert!(!exists(&volume.path().join("no-volume"), "a").unwrap());
}
