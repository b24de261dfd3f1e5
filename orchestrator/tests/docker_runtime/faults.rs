//! Half-done steps, foreign things with our names, an engine that is gone, and logs that must outlive their container.

use std::path::Path;

use flash_node::runtime::DropStage;
use flash_node::runtime::ImageId;
use flash_node::runtime::InstanceState;
use flash_node::runtime::Runtime;
use flash_node::runtime::RuntimeError;
use flash_node::runtime::Unit;
use flash_node::service::spec::NetworkKind;
use flash_node::service::spec::Publish;

use crate::bench::Machine;
use crate::bench::PATIENCE;
use crate::bench::STOP;
use crate::bench::attach;
use crate::bench::docker;
use crate::bench::image;
use crate::bench::machine;
use crate::bench::run;

const SLEEPS: &str = "exec sleep 100000";

async fn state(machine: &Machine, unit: &Unit) -> Option<InstanceState> {
    let mut listed = machine.runtime.list().await.unwrap();
    listed.remove(&unit.service).map(|one| one.unwrap().state)
}

async fn until(machine: &Machine, unit: &Unit, holds: impl Fn(&InstanceState) -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        let mut changes = machine.runtime.watch();
        while !state(machine, unit)
            .await
            .is_some_and(|state| holds(&state))
        {
            changes.changed().await.unwrap();
        }
    });
    waited.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_of_our_name_that_we_did_not_make_is_left_alone() {
    let Some(machine) = machine() else { return };
    let unit = machine.shell("alpha", SLEEPS, Vec::new());
    let name = machine.container("alpha");
    let theirs = docker(&[
        "run",
        "-d",
        "--name",
        &name,
        &image().0,
        "/bin/sleep",
        "100000",
    ]);
    let refused = machine.runtime.ensure(&unit).await;
    assert!(
        matches!(
            refused,
            Err(RuntimeError::NameTaken {
                what: "a container",
                ..
            })
        ),
        "{refused:?}"
    );
    assert!(
        refused
            .unwrap_err()
            .to_string()
            .contains("remove or rename it")
    );
    for stage in [DropStage::Ask, DropStage::Kill] {
        machine
            .runtime
            .drop(&unit.service, STOP, stage)
            .await
            .unwrap();
    }
    machine
        .runtime
        .drop(&unit.service, STOP, DropStage::Clean)
        .await
        .unwrap_err();
    assert_eq!(state(&machine, &unit).await, None, "it is none of ours");
    let runs = docker(&["inspect", "--format", "{{.Id}} {{.State.Running}}", &name]);
    assert_eq!(runs, format!("{theirs} true"));
    docker(&["rm", "-f", &name]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_of_our_name_that_we_did_not_make_is_left_alone() {
    let Some(machine) = machine() else { return };
    let edge = attach("alpha/rpc/beta", NetworkKind::Edge, "10.214.8.0", false);
    let unit = machine.shell("alpha", SLEEPS, vec![edge]);
    let name = machine.network("alpha/rpc/beta");
    let theirs = docker(&["network", "create", "--subnet", "10.214.8.16/28", &name]);
    let refused = machine.runtime.ensure(&unit).await;
    assert!(
        matches!(
            refused,
            Err(RuntimeError::NameTaken {
                what: "a network",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(
        docker(&["network", "inspect", "--format", "{{.Id}}", &name]),
        theirs
    );
    docker(&["network", "rm", &name]);
    machine.runtime.ensure(&unit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_overlaps_another_is_a_clear_error_and_goes_on_by_itself() {
    let Some(machine) = machine() else { return };
    let other = format!("not-ours-{}", &machine.node[..6]);
    docker(&["network", "create", "--subnet", "10.214.9.0/24", &other]);
    let edge = attach("alpha/rpc/beta", NetworkKind::Edge, "10.214.9.16", false);
    let unit = machine.shell("alpha", SLEEPS, vec![edge]);
    let refused = machine.runtime.ensure(&unit).await.unwrap_err().to_string();
    assert!(
        refused.contains("making a network failed") && refused.contains("verlap"),
        "{refused}"
    );
    docker(&["network", "rm", &other]);
    machine.runtime.ensure(&unit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_half_state_is_gone_on_with() {
    let Some(machine) = machine() else { return };
    let attachments = || {
        vec![
            attach("a/rpc/alpha", NetworkKind::Edge, "10.214.10.0", true),
            attach("b/rpc/alpha", NetworkKind::Edge, "10.214.10.16", true),
            attach("c/rpc/alpha", NetworkKind::Edge, "10.214.10.32", true),
        ]
    };
    let unit = machine.shell("alpha", SLEEPS, attachments());
    let networks = || {
        let all = docker(&[
            "inspect",
            "--format",
            "{{range $n, $e := .NetworkSettings.Networks}}{{$n}} {{end}}",
            &machine.container("alpha"),
        ]);
        all.split_whitespace().count()
    };
    // Made, and joined to all but one of its networks.
    machine.runtime.leave_prepared(&unit).await.unwrap();
    docker(&[
        "network",
        "disconnect",
        &machine.network("c/rpc/alpha"),
        &machine.container("alpha"),
    ]);
    assert_eq!(state(&machine, &unit).await, Some(InstanceState::Prepared));
    assert_eq!(networks(), 2);
    machine.runtime.ensure(&unit).await.unwrap();
    assert!(matches!(
        state(&machine, &unit).await,
        Some(InstanceState::Running { .. })
    ));
    assert_eq!(networks(), 3);

    // Removed, and its networks still there: all of them go with the last step.
    machine
        .runtime
        .drop(&unit.service, STOP, DropStage::Kill)
        .await
        .unwrap();
    until(&machine, &unit, |state| {
        matches!(state, InstanceState::Exited(_))
    })
    .await;
    docker(&["rm", &machine.container("alpha")]);
    machine
        .runtime
        .drop(&unit.service, STOP, DropStage::Clean)
        .await
        .unwrap();
    let filter = format!("label=flash.node={}", machine.node);
    assert_eq!(docker(&["network", "ls", "-q", "--filter", &filter]), "");

    // Asked to stop before it was ever started: it is not started afterwards.
    machine.runtime.leave_prepared(&unit).await.unwrap();
    machine
        .runtime
        .drop(&unit.service, STOP, DropStage::Ask)
        .await
        .unwrap();
    assert_eq!(state(&machine, &unit).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_stays_as_long_as_one_member_is_on_it() {
    let Some(machine) = machine() else { return };
    let edge = |provider| {
        vec![attach(
            "client/rpc/server",
            NetworkKind::Edge,
            "10.214.11.0",
            provider,
        )]
    };
    let server = machine.shell("server", SLEEPS, edge(true));
    let client = machine.shell("client", SLEEPS, edge(false));
    machine.runtime.ensure(&server).await.unwrap();
    machine.runtime.ensure(&client).await.unwrap();
    let there = || {
        let name = machine.network("client/rpc/server");
        run("docker", &["network", "inspect", &name]).0
    };
    for (unit, stays) in [(&client, true), (&server, false)] {
        machine
            .runtime
            .drop(&unit.service, STOP, DropStage::Kill)
            .await
            .unwrap();
        until(&machine, unit, |state| {
            matches!(state, InstanceState::Exited(_))
        })
        .await;
        machine
            .runtime
            .drop(&unit.service, STOP, DropStage::Clean)
            .await
            .unwrap();
        assert_eq!(there(), stays, "{}", unit.service);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_gone_is_no_empty_machine() {
    let Some(machine) = machine() else { return };
    let unit = machine.shell("alpha", SLEEPS, Vec::new());
    machine.runtime.ensure(&unit).await.unwrap();
    let blind = machine.at(Path::new("/nonexistent/docker.sock"));
    let listed = blind.list().await;
    assert!(
        matches!(listed, Err(RuntimeError::EngineGone { .. })),
        "{listed:?}"
    );
    let dropped = blind.drop(&unit.service, STOP, DropStage::Kill).await;
    assert!(
        matches!(dropped, Err(RuntimeError::EngineGone { .. })),
        "{dropped:?}"
    );
    assert!(matches!(
        state(&machine, &unit).await,
        Some(InstanceState::Running { .. })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_missing_image_and_a_missing_program_are_told_apart() {
    let Some(machine) = machine() else { return };
    let mut unit = machine.shell("alpha", SLEEPS, Vec::new());
    unit.image = Some(ImageId(format!("sha256:{}", "0".repeat(64))));
    let refused = machine.runtime.ensure(&unit).await;
    assert!(
        matches!(refused, Err(RuntimeError::NoImage { .. })),
        "{refused:?}"
    );
    unit.image = Some(image());
    unit.program = "no-such-program".into();
    // The engine starts its init process, and that one finds no program: 127, as a shell says it.
    machine.runtime.ensure(&unit).await.unwrap();
    until(
        &machine,
        &unit,
        |state| matches!(state, InstanceState::Exited(exit) if exit.code == Some(127)),
    )
    .await;
    // With the right program, under another specification, it starts.
    let again = machine.shell("alpha", SLEEPS, Vec::new());
    let again = Unit {
        spec_hash: flash_node::service::spec::SpecHash("v1:again".to_owned()),
        ..again
    };
    machine.runtime.ensure(&again).await.unwrap();
    let log = machine.log("alpha");
    assert!(
        log.contains("no-such-program"),
        "its log says what was not found: {log}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_port_that_the_engine_leaves_out_ends_the_program() {
    let Some(machine) = machine() else { return };
    // On an internal network alone the engine publishes nothing, and says nothing.
    let edge = attach("a/rpc/alpha", NetworkKind::Edge, "10.214.12.0", true);
    let mut unit = machine.shell("alpha", SLEEPS, vec![edge]);
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    unit.network.publish.push(Publish {
        port: "http".parse().unwrap(),
        on: port,
        number: 80,
    });
    let refused = machine.runtime.ensure(&unit).await;
    let Err(RuntimeError::Published { wanted, found, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(
        (wanted, found.as_str()),
        (format!("{port}→80/tcp"), "nothing")
    );
    until(&machine, &unit, |state| {
        matches!(state, InstanceState::Exited(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lines_are_kept_once_across_the_death_of_node_and_container() {
    let Some(mut machine) = machine() else { return };
    let script = "n=0; while [ $n -lt 2000 ]; do n=$((n+1)); echo line-$n; done; exec sleep 100000";
    let unit = machine.shell("alpha", script, Vec::new());
    machine.runtime.ensure(&unit).await.unwrap();
    // Nodes come and go while it prints; each cut falls anywhere.
    for _ in 0..5 {
        machine.restart_node();
        machine.runtime.list().await.unwrap();
        tokio::task::yield_now().await;
    }
    machine
        .runtime
        .drop(&unit.service, STOP, DropStage::Kill)
        .await
        .unwrap();
    until(&machine, &unit, |state| {
        matches!(state, InstanceState::Exited(_))
    })
    .await;
    machine
        .runtime
        .drop(&unit.service, STOP, DropStage::Clean)
        .await
        .unwrap();
    assert!(
        !run("docker", &["inspect", &machine.container("alpha")]).0,
        "the container is gone"
    );
    let kept = machine.log("alpha");
    let printed: Vec<&str> = kept.lines().collect();
    let all: Vec<String> = (1..=printed.len()).map(|n| format!("line-{n}")).collect();
    assert_eq!(printed, all, "none is lost and none is there twice");
    assert!(!printed.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_that_somebody_removed_is_absent_and_made_anew() {
    let Some(machine) = machine() else { return };
    let unit = machine.shell("alpha", SLEEPS, Vec::new());
    machine.runtime.ensure(&unit).await.unwrap();
    let mut changes = machine.runtime.watch();
    changes.mark_unchanged();
    docker(&["rm", "-f", &machine.container("alpha")]);
    tokio::time::timeout(PATIENCE, changes.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(state(&machine, &unit).await, None);
    machine.runtime.ensure(&unit).await.unwrap();
    assert!(matches!(
        state(&machine, &unit).await,
        Some(InstanceState::Running { .. })
    ));
}
