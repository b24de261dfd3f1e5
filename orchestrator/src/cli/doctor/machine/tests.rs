use super::super::Weight;
use super::*;

fn facts(api: &str, live_restore: bool) -> EngineFacts {
    EngineFacts {
        version: "20.10.24".to_owned(),
        api: api.to_owned(),
        live_restore,
    }
}

fn weights(findings: &[Finding]) -> Vec<Weight> {
    findings.iter().map(|finding| finding.weight).collect()
}

#[test]
fn an_engine_is_judged_by_its_version_and_by_what_its_stop_does() {
    let all = judge(&facts("1.41", true), true);
    assert_eq!(weights(&all), [Weight::Good, Weight::Good]);
    let old = judge(&facts("1.40", true), true);
    assert_eq!(old[0].weight, Weight::Bad);
    assert!(old[0].text.contains("1.41 is the oldest"), "{old:?}");
    // 1.9 is older than 1.41, whatever its digits look like.
    assert_eq!(judge(&facts("1.9", true), true)[0].weight, Weight::Bad);
    for (live, installed, next) in [
        (true, false, "service install"),
        (false, true, "live-restore"),
        (false, false, "service install"),
    ] {
        let found = judge(&facts("1.41", live), installed);
        assert_eq!(found[1].weight, Weight::Note);
        assert!(
            found[1]
                .next
                .as_deref()
                .is_some_and(|text| text.contains(next))
        );
    }
}

#[test]
fn encryption_is_found_below_other_mappings() {
    let devices = tempfile::tempdir().unwrap();
    let make = |number: &str, uuid: Option<&str>, below: Option<&str>| {
        let folder = devices.path().join(number);
        std::fs::create_dir_all(folder.join("slaves")).unwrap();
        if let Some(uuid) = uuid {
            std::fs::create_dir_all(folder.join("dm")).unwrap();
            std::fs::write(folder.join("dm/uuid"), uuid).unwrap();
        }
        if let Some(below) = below {
            let slave = folder.join("slaves/below");
            std::fs::create_dir_all(&slave).unwrap();
            std::fs::write(slave.join("dev"), format!("{below}\n")).unwrap();
        }
    };
    make("8:1", None, None);
    make("254:0", Some("CRYPT-LUKS2-abc-disk\n"), Some("8:1"));
    make("254:1", Some("LVM-def\n"), Some("254:0"));
    make("254:2", Some("LVM-ghi\n"), Some("8:1"));
    let found = |number: &str| encrypted(devices.path(), number, 0);
    assert!(found("254:0") && found("254:1"));
    assert!(!found("8:1") && !found("254:2") && !found("9:9"));
}
