//! SQL, against a real Postgres where it is installed.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::real::ask_until;
use super::real::free_port;
use super::real::program;
use super::real::quiet;
use super::real::start;
use super::*;

fn sql(query: &str) -> Asking {
    Asking::Sql {
        query: query.to_owned(),
        database: "postgres".to_owned(),
    }
}

#[tokio::test]
async fn a_question_without_a_user_is_not_asked() {
    let answer = ask(&question(nobody().await, sql("SELECT 1"))).await;
    assert_eq!(answer.error, Some(ProbeError::Question));
}

/// Runs a program to its end, as nobody where the test runs as root: Postgres refuses root.
fn as_other_user(program: &Path, folder: &Path) -> Command {
    let mut command = quiet(program);
    if rustix::process::getuid().is_root() {
        command.uid(65534).gid(65534);
        std::os::unix::fs::chown(folder, Some(65534), Some(65534)).unwrap();
    }
    command.current_dir(folder);
    command
}

#[tokio::test]
async fn postgres_answers_one_value_and_refuses_a_wrong_password() {
    let (Some(initdb), Some(postgres)) = (program("initdb"), program("postgres")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let password_file = folder.path().join("password");
    std::fs::write(&password_file, "hunter2").unwrap();
    std::os::unix::fs::chown(&password_file, Some(65534), Some(65534)).ok();
    let data = folder.path().join("data");
    let made = as_other_user(&initdb, folder.path())
        .args(["--auth=scram-sha-256", "--username=node", "--no-sync"])
        .arg(format!("--pwfile={}", password_file.display()))
        .arg(format!("--pgdata={}", data.display()))
        .status()
        .unwrap();
    assert!(made.success());
    let port = free_port().await;
    let _postgres = start(
        as_other_user(&postgres, folder.path())
            .arg(format!("-D{}", data.display()))
            .arg(format!("-p{port}"))
            .args(["-c", "unix_socket_directories=", "-h", "127.0.0.1"]),
    );
    let address = SocketAddr::from(([127, 0, 0, 1], port));
    let asked = |query: &str, password: &str| Question {
        credential: credential("node", password),
        ..question(address, sql(query))
    };
    let right = asked("SELECT count(*) FROM pg_database", "hunter2");
    let answer = ask_until(&right, |answer| answer.succeeded(&right.ask)).await;
    assert_eq!(answer.json, Some(json!(3)));
    assert_eq!(answer.text, "3");

    let wrong = ask(&asked("SELECT 1", "wrong")).await;
    assert!(
        wrong.reached && wrong.error == Some(ProbeError::Denied),
        "{wrong:?}"
    );
    assert_eq!(wrong.json.unwrap()["sqlstate"], "28P01");
    assert!(!wrong.text.contains("wrong"));

    let broken = ask(&asked("SELECT nothing", "hunter2")).await;
    assert_eq!(broken.error, Some(ProbeError::Failed));
    for many in [
        "SELECT 1, 2",
        "SELECT generate_series(1, 2)",
        "SELECT 1 WHERE false",
    ] {
        let answer = ask(&asked(many, "hunter2")).await;
        assert_eq!(answer.error, Some(ProbeError::Malformed), "{many}");
    }
    let huge = asked("SELECT repeat('x', 10000000)", "hunter2");
    let answer = ask(&huge).await;
    assert!(
        !answer.reached && !answer.succeeded(&huge.ask),
        "{answer:?}"
    );
}
