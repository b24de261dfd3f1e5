use bollard::models::ProgressDetail;

use super::*;

fn told(id: &str, current: i64, total: i64) -> CreateImageInfo {
    CreateImageInfo {
        id: Some(id.to_owned()),
        status: Some("Downloading".to_owned()),
        progress_detail: Some(ProgressDetail {
            current: Some(current),
            total: Some(total),
        }),
        ..CreateImageInfo::default()
    }
}

#[test]
fn progress_is_of_all_layers_together() {
    let mut layers = Layers::default();
    assert_eq!(layers.add(&told("a", 50, 100)), Some(50));
    assert_eq!(layers.add(&told("b", 0, 300)), Some(12));
    assert_eq!(layers.add(&told("a", 100, 100)), Some(25));
    assert_eq!(layers.add(&told("c", 1, 0)), None);
}

#[test]
fn the_words_of_the_engine_are_told_apart() {
    let code = |why: &str| refused("a@sha256:1".to_owned(), why.to_owned()).code();
    assert_eq!(
        code("manifest for a@sha256:1 not found: manifest unknown"),
        "image_unknown"
    );
    assert_eq!(
        code("dial tcp 127.0.0.1:5000: connect: connection refused"),
        "registry_unreachable"
    );
    assert_eq!(
        code("write /var/lib/docker/tmp/x: no space left on device"),
        "disk_full"
    );
    assert_eq!(
        code("filesystem layer verification failed for digest sha256:2"),
        "digest_mismatch"
    );
    assert_eq!(code("something new"), "image_failed");
}
