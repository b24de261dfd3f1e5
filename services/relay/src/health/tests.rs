use super::*;

#[tokio::test]
async fn a_failed_write_is_remembered_until_one_succeeds() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(folder.path(), 64 << 20)
        .await
        .expect("a database");
    let health = Health::default();
    assert_eq!(health.report(&store).await.status, "ready");
    assert!(health.write_failed());
    assert!(
        !health.write_failed(),
        "the second failure in a row is not news"
    );
    let report = health.report(&store).await;
    assert_eq!((report.status, report.code), ("failed", "write_failed"));
    health.wrote();
    assert_eq!(health.report(&store).await.status, "ready");
    health.drain();
    assert_eq!(health.report(&store).await.status, "draining");
}
