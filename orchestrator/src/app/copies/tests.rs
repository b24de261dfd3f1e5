use std::os::unix::fs::PermissionsExt;

use super::*;

struct Place {
    folder: tempfile::TempDir,
    copy: Copy,
}

fn place() -> Place {
    let folder = tempfile::tempdir().unwrap();
    let (volume, files) = (folder.path().join("volume"), folder.path().join("files"));
    for made in [&volume, &files] {
        std::fs::create_dir(made).unwrap();
    }
    let copy = Copy {
        service: ServiceId::new("btcpay").unwrap(),
        provider: ServiceId::new("nbxplorer").unwrap(),
        volume,
        below: "RegTest/.cookie".to_owned(),
        folder: files,
        name: "cookie".to_owned(),
    };
    std::fs::create_dir(copy.volume.join("RegTest")).unwrap();
    Place { folder, copy }
}

impl Place {
    fn original(&self, text: &str) {
        std::fs::write(self.copy.volume.join(&self.copy.below), text).unwrap();
    }

    fn copied(&self, text: &str) {
        let path = self.copy.folder.join(&self.copy.name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        let closed = std::fs::Permissions::from_mode(0o500);
        std::fs::set_permissions(&self.copy.folder, closed).unwrap();
    }

    fn copy(&self) -> String {
        std::fs::read_to_string(self.copy.folder.join(&self.copy.name)).unwrap()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let open = std::fs::Permissions::from_mode(0o700);
        let _ = std::fs::set_permissions(&self.copy.folder, open);
        let _ = self.folder.path();
    }
}

#[test]
fn a_copy_follows_its_original_and_stays_closed() {
    let place = place();
    place.original("one");
    place.copied("one");
    assert!(!renew(&place.copy).unwrap(), "nothing is new");
    place.original("two");
    assert!(renew(&place.copy).unwrap());
    assert_eq!(place.copy(), "two");
    assert!(!renew(&place.copy).unwrap());
    let mode = |path: &std::path::Path| path.metadata().unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&place.copy.folder), 0o500);
    assert_eq!(mode(&place.copy.folder.join("cookie")), 0o400);
    let left = std::fs::read_dir(&place.copy.folder).unwrap().count();
    assert_eq!(left, 1, "nothing lies beside it");
}

#[test]
fn nothing_is_made_where_no_start_made_it_and_nothing_is_lost_meanwhile() {
    let place = place();
    place.original("one");
    assert!(!renew(&place.copy).unwrap(), "who does not run has no copy");
    place.copied("one");
    place.original("");
    assert!(!renew(&place.copy).unwrap(), "it is being written");
    std::fs::remove_file(place.copy.volume.join(&place.copy.below)).unwrap();
    assert!(!renew(&place.copy).unwrap(), "the provider is starting");
    assert_eq!(place.copy(), "one");
}
