use super::*;
use crate::view::Severity;

#[test]
fn what_lies_there_and_was_not_signed_by_the_release_is_left_out() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = Signed::shipped();
    let known = shipped.read().unwrap();
    assert_eq!(newest(folder.path()), (known.clone(), false));
    let mut forged = shipped.clone();
    forged.text = forged.text.replace("serial = 1", "serial = 99");
    assert_ne!(forged, shipped);
    for kept in [
        serde_json::to_vec(&forged).unwrap(),
        // As old as this release's own.
        serde_json::to_vec(&shipped).unwrap(),
        b"half a fi".to_vec(),
        Vec::new(),
    ] {
        std::fs::write(folder.path().join(FILE), kept).unwrap();
        assert_eq!(newest(folder.path()), (known.clone(), false));
    }
}

#[test]
fn what_is_here_comes_first_and_then_what_is_worse() {
    let text = |id: &str, service: &str, severity: &str| {
        format!(
            "[[advisory]]\nid = \"{id}\"\nservice = \"{service}\"\nversions = [{{ below = \"2.0\" }}]\nseverity = \"{severity}\"\ntext = \"x.\"\naction = \"y.\"\n"
        )
    };
    let all = [
        text("A", "tor", "critical"),
        text("B", "lnd", "low"),
        text("C", "lnd", "high"),
        text("D", "mint", "medium"),
    ];
    let feed: Feed = toml::from_str(&format!(
        "serial = 3\nissued = \"2026-12-01\"\n{}",
        all.concat()
    ))
    .unwrap();
    let found = |id: &str, manifest: &str, version: &str| {
        (
            ServiceId::new(id).unwrap(),
            ManifestId::new(manifest).unwrap(),
            version.parse().unwrap(),
        )
    };
    let versions = [
        found("lnd", "lnd", "1.9"),
        found("lnd-two", "lnd", "2.0"),
        found("mint", "mint", "2.1"),
    ];
    let told = shown(&feed, true, &versions);
    let ids: Vec<&str> = told.advisories.iter().map(|one| one.id.as_str()).collect();
    assert_eq!(ids, ["C", "B", "A", "D"]);
    let here = &told.advisories[0].here;
    assert_eq!((here.len(), here[0].service.as_str()), (1, "lnd"));
    assert_eq!(told.advisories[2].severity, Severity::Critical);
    let text = table(&told);
    assert!(text.starts_with("C (lnd 1.9): x."), "{text}");
    assert!(!text.contains("mint"), "{text}");
    assert_eq!(
        table(&shown(&feed, true, &[])),
        "none names a version that this node runs\n"
    );
}
