use std::path::PathBuf;

use tokio::io::AsyncReadExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::UnixListener;

use super::*;

/// Answers every question at a socket with `body`, until the test ends.
fn answering(folder: &std::path::Path, body: &'static str) -> PathBuf {
    let socket = folder.join("engine.sock");
    let listener = UnixListener::bind(&socket).unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "the test's own engine ends with it"
    )]
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut asked = [0; 4096];
            let _ = stream.read(&mut asked).await;
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all(head.as_bytes()).await;
            let _ = stream.write_all(body.as_bytes()).await;
        }
    });
    socket
}

#[tokio::test]
async fn an_engine_that_would_not_confine_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let socket = answering(
        folder.path(),
        r#"{"Platform":{"Name":"linux"},"Components":[{"Name":"Podman Engine","Version":"4.3.1"}],"Version":"4.3.1","ApiVersion":"1.41"}"#,
    );
    let refused = Engine::new(socket).docker().await.unwrap_err();
    assert!(
        matches!(refused, RuntimeError::EngineUnfit { .. }),
        "{refused:?}"
    );
    let text = refused.to_string();
    assert!(
        text.starts_with("Podman Engine 4.3.1 answers, and it cannot be used"),
        "{text}"
    );
}

#[tokio::test]
async fn another_one_is_asked_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = answering(
        folder.path(),
        r#"{"Components":[{"Name":"Engine","Version":"20.10.24"}],"Version":"20.10.24","ApiVersion":"1.41","LiveRestoreEnabled":true}"#,
    );
    let found = facts(&socket).await.unwrap();
    assert_eq!(
        found,
        EngineFacts {
            version: "20.10.24".to_owned(),
            api: "1.41".to_owned(),
            live_restore: true,
        }
    );
    let nobody = facts(&folder.path().join("none.sock")).await.unwrap_err();
    assert!(
        matches!(nobody, RuntimeError::EngineGone { .. }),
        "{nobody:?}"
    );
}
