//! What needs a person, by who asks and how the node stands.

use serde_json::Value;

use super::*;
use crate::view::Advisory;
use crate::view::Affected;
use crate::view::Severity;

/// The code and what each task of the answer is about.
fn ids(text: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(text).unwrap();
    let tasks = list["tasks"].as_array().unwrap();
    tasks
        .iter()
        .map(|task| {
            assert!(!task["text"].as_str().unwrap().is_empty());
            assert!(!task["hint"].as_str().unwrap().is_empty());
            task["id"].as_str().unwrap().to_owned()
        })
        .collect()
}

#[tokio::test]
async fn a_task_is_told_to_whom_it_concerns() {
    let server = tcp().await;
    // Before the node has an owner whoever is at the machine may look, and nothing is theirs to do.
    let (status, _, text) = server.get("/api/v1/tasks", &[]).await;
    assert_eq!((status, ids(&text).len()), (StatusCode::OK, 0), "{text}");
    server.people();
    for (name, told) in [
        ("owner", &["no_passphrase", "no_second_factor"][..]),
        ("manager", &["no_second_factor"]),
        ("auditor", &["no_second_factor"]),
    ] {
        let cookie = server.cookie(name);
        let (status, _, text) = server.get("/api/v1/tasks", &[("cookie", &cookie)]).await;
        assert_eq!(status, StatusCode::OK, "{text}");
        assert_eq!(ids(&text), told, "{name}");
    }
    let cookie = server.cookie("cashier");
    let (status, _, _) = server.get("/api/v1/tasks", &[("cookie", &cookie)]).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn what_does_not_work_comes_first_and_ends_with_its_cause() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("owner");
    let told = || async {
        let (_, _, text) = server.get("/api/v1/tasks", &[("cookie", &cookie)]).await;
        ids(&text)
    };
    let later = ["no_passphrase".to_owned(), "no_second_factor".to_owned()];
    server.node.change(|status| {
        status.services[0].state = "needs_you".to_owned();
        status.services[0].next = Some("look at its log".to_owned());
        // A process is never confined as a container is: nobody can do anything about that.
        assert!(!status.services[1].not_enforced.is_empty());
    });
    server.node.change_machine(|machine| {
        machine.disks[0].used = machine.disks[0].total - 1_000_000;
        machine.memory.used = machine.memory.total - 1;
    });
    let now = ["needs_operator:mint", "disk_low:data", "memory_low"].map(str::to_owned);
    assert_eq!(told().await, [&now[..], &later].concat());
    // What only a person takes out of a service's way is somebody's to do; what goes by itself is not.
    server
        .node
        .change_machine(|machine| *machine = fixture::machine());
    for (state, next, told_of) in [
        ("absent", true, true),
        ("exited", true, true),
        ("held_back", true, true),
        ("held_back", false, false),
        ("absent", false, false),
        ("backing_off", true, false),
        ("running", true, false),
    ] {
        server.node.change(|status| {
            status.services[0].state = state.to_owned();
            status.services[0].next = next.then(|| "stop what holds its port".to_owned());
        });
        let blocked = told().await.contains(&"blocked:mint".to_owned());
        assert_eq!(blocked, told_of, "{state} {next}");
    }
    server.node.change(|status| {
        status.services[0].state = "running".to_owned();
        status.services[1].runtime = "docker".to_owned();
        status.vault.passphrase_set = true;
    });
    server
        .node
        .change_machine(|machine| *machine = fixture::machine());
    assert_eq!(told().await, ["confinement", "no_second_factor"]);
}

#[tokio::test]
async fn what_an_advisory_names_needs_somebody_and_what_may_cost_money_needs_them_now() {
    let server = tcp().await;
    server.people();
    let cookie = server.cookie("auditor");
    let advisory = |id: &str, severity: Severity, here: &[&str]| Advisory {
        id: id.to_owned(),
        manifest: "mint".to_owned(),
        severity,
        text: "It can be stopped from afar.".to_owned(),
        action: "Run a newer one.".to_owned(),
        here: here
            .iter()
            .map(|service| Affected {
                service: (*service).to_owned(),
                version: "0.1".to_owned(),
            })
            .collect(),
    };
    server.node.warn_of(vec![
        advisory("T-1", Severity::Medium, &["mint"]),
        advisory("T-2", Severity::High, &["mint", "relay"]),
        advisory("T-3", Severity::Critical, &[]),
    ]);
    let (_, _, text) = server.get("/api/v1/tasks", &[("cookie", &cookie)]).await;
    assert_eq!(
        ids(&text),
        [
            "advisory:T-2:mint",
            "advisory:T-2:relay",
            "advisory:T-1:mint",
            "no_second_factor"
        ]
    );
    let list: Value = serde_json::from_str(&text).unwrap();
    let first = &list["tasks"][0];
    assert_eq!(
        (&first["service"], &first["level"]),
        (&"mint".into(), &"now".into())
    );
    assert_eq!(first["hint"], "Run a newer one.");
    let said = first["text"].as_str().unwrap();
    assert!(
        said.ends_with(" 0.1: It can be stopped from afar."),
        "{said}"
    );
}
