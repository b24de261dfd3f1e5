use super::*;
use crate::clock::SystemClock;
use crate::entropy::SystemEntropy;

#[tokio::test]
async fn ends_that_nobody_saw_are_forgotten_with_their_records() {
    let folder = tempfile::tempdir().unwrap();
    let runtime = ProcessRuntime::new(
        ProcessConfig {
            data_run_dir: folder.path().join("run"),
            files_dir: folder.path().join("files"),
            logs_dir: folder.path().join("logs"),
            exe: "/nonexistent".into(),
        },
        Arc::new(SystemClock::new()),
        Arc::new(SystemEntropy),
        Tasks::new(),
    );
    let noticed = || runtime.inner.noticed.lock().unwrap().len();
    let first = runtime.inner.unseen("first");
    assert_eq!(runtime.inner.unseen("first"), first);
    runtime.inner.unseen("second");
    assert_eq!(noticed(), 2);
    runtime
        .inner
        .forget_all_but(&HashSet::from(["first".to_owned()]));
    assert_eq!(runtime.inner.unseen("first"), first);
    assert_eq!(noticed(), 1);
    runtime.list().await.unwrap();
    assert_eq!(noticed(), 0);
}
