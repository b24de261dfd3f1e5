//! Guarded jobs that did not come to their end.

use super::*;

struct Scene {
    manifest: Manifest,
    folder: tempfile::TempDir,
    notes: Noted,
}

impl Scene {
    /// A job that makes its guard file first and then does `rest`.
    fn new(rest: &str) -> Self {
        let script = format!("echo half > {{{{ volume.data.path }}}}/made; {rest}");
        Self {
            manifest: manifest(&format!(
                r#"{HEALTH}
[volumes.data]
class = "rebuildable"
holds = "x"
[[init]]
name = "make_data"
when = "before_start"
unless_exists = {{ volume = "data", path = "made" }}
[[init.steps]]
run = {{ command = "sh", args = ["-c", "{script}"] }}
[[init.steps]]
run = {{ command = "sh", args = ["-c", "echo whole > {{{{ volume.data.path }}}}/made"] }}
"#
            )),
            folder: tempfile::tempdir().unwrap(),
            notes: Noted::default(),
        }
    }

    async fn run(&self) -> Vec<&'static str> {
        let service = ServiceId::new("thing").unwrap();
        let mut target = target(&service, &self.manifest, "127.0.0.1:1".parse().unwrap());
        let root = self.folder.path().to_owned();
        target.variables["volume"]["data"]["path"] = root.display().to_string().into();
        target.volumes.insert(name("data"), root);
        let vault = Vault::default();
        let report = run_noted(InitWhen::BeforeStart, &target, &vault, &[], &self.notes).await;
        codes(&report)
    }

    fn noted(&self) -> bool {
        self.notes.begun(&name("make_data")).unwrap()
    }

    fn put(&self, file: &str, text: &str) {
        std::fs::write(self.folder.path().join(file), text).unwrap();
    }

    fn files(&self) -> BTreeMap<String, String> {
        let entries = std::fs::read_dir(self.folder.path()).unwrap();
        let read = |entry: std::io::Result<std::fs::DirEntry>| {
            let entry = entry.unwrap();
            let text = std::fs::read_to_string(entry.path()).unwrap_or_default();
            (entry.file_name().into_string().unwrap(), text)
        };
        entries.map(read).collect()
    }
}

fn only_made(text: &str) -> BTreeMap<String, String> {
    BTreeMap::from([("made".to_owned(), text.to_owned())])
}

#[tokio::test]
async fn what_a_job_left_that_was_cut_short_is_removed_and_it_is_begun_anew() {
    let scene = Scene::new("true");
    // As after the death of a node while the job worked, and of the machine with it.
    scene.notes.begin(&name("make_data")).unwrap();
    scene.put("made", "half");
    scene.put("rest", "of an earlier try");
    std::fs::create_dir(scene.folder.path().join("deep")).unwrap();
    assert_eq!(scene.run().await, ["done"]);
    assert_eq!(
        scene.files(),
        only_made("whole\n"),
        "each step is done, the first on nothing"
    );
}

#[tokio::test]
async fn what_a_job_left_that_fails_is_removed_before_anybody_can_put_something_there() {
    for rest in ["kill -9 $$", "exit 137", "exit 3"] {
        let scene = Scene::new(rest);
        for _ in 0..2 {
            assert_eq!(scene.run().await, ["failed"], "{rest}");
            assert!(!scene.noted(), "{rest}");
            assert_eq!(scene.files(), BTreeMap::new(), "{rest}");
        }
        // The operator gives up on the job and brings the data from elsewhere.
        scene.put("made", "by the operator");
        assert_eq!(scene.run().await, ["exists"], "{rest}");
        assert_eq!(scene.files(), only_made("by the operator"), "{rest}");
    }
}

#[tokio::test]
async fn what_somebody_else_put_into_the_volume_is_never_removed() {
    // With the guard file it is whole.
    let scene = Scene::new("true");
    scene.put("made", "by the operator");
    assert_eq!(scene.run().await, ["exists"]);
    assert_eq!(scene.files(), only_made("by the operator"));
    // Without it the job may fail, and is not noted: the next try must not take away what it did not make.
    let scene = Scene::new("kill -9 $$");
    scene.put("precious", "money");
    assert_eq!(scene.run().await, ["failed"]);
    assert!(!scene.noted());
    assert_eq!(scene.files()["precious"], "money");
    std::fs::remove_file(scene.folder.path().join("made")).unwrap();
    assert_eq!(scene.run().await, ["failed"]);
    assert_eq!(scene.files()["precious"], "money");
}
