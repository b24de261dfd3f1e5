//! Owns the death of the node while a database is being made: the file that says "it is there" comes long before the rest.

use crate::engine::Node;
use crate::engine::PASSPHRASE;
use crate::engine::have_engine;
use crate::engine::packed_postgres;
use crate::engine::run;
use crate::kills::opens;
use crate::kills::settled;

/// What dies while the program works that makes the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dies {
    /// Before it is begun, and noted already.
    AtPoint,
    /// The node alone: the program works on.
    Node,
    /// Both, as in a power cut.
    Both,
}

#[test]
fn a_database_that_was_being_made_when_the_node_died_is_waited_for_or_made_anew() {
    if !have_engine() {
        return;
    }
    let Some(image) = packed_postgres() else {
        return;
    };
    for dies in [Dies::AtPoint, Dies::Node, Dies::Both] {
        let mut node = Node::new(&[("postgres", Some(image.clone()))], "");
        if dies == Dies::AtPoint {
            node.node.env("FLASH_FAILPOINT", Some("job.begun"));
        }
        node.node.spawn();
        node.node
            .wait("an answer", |one| one.try_status().is_some());
        let typed = format!("{PASSPHRASE}\n{PASSPHRASE}\n");
        let changed = node.node.cli_with_input(&["passphrase", "change"], &typed);
        assert!(changed.status.success(), "{changed:?}");
        if dies == Dies::AtPoint {
            assert_eq!(node.node.wait_for_end(), None, "it died by its failpoint");
            node.node.env("FLASH_FAILPOINT", None);
        } else {
            let guard = node.node.data().join("volumes/postgres/data/PG_VERSION");
            let begun = std::time::Instant::now();
            while !guard.exists() {
                assert!(
                    begun.elapsed() < crate::node::PATIENCE,
                    "no database is made"
                );
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            node.node.kill_daemon();
            let job = format!("{}.job", node.container("postgres"));
            let works = run(
                "docker",
                &["inspect", "--format", "{{.State.Running}}", &job],
            );
            assert_eq!(works, (true, "true".to_owned()), "{dies:?}: it works on");
            if dies == Dies::Both {
                let (killed, said) = run("docker", &["kill", &job]);
                assert!(killed, "{said}");
                let (removed, said) = run("docker", &["rm", "-f", &job]);
                assert!(removed, "{said}");
            }
        }
        node.up_again();
        node.node.wait_ready("postgres");
        settled(&node, &format!("{dies:?}"));
        opens(&node, &format!("{dies:?}"));
        let events = node.node.ok(&["events", "-n", "100"]);
        assert!(!events.contains("init_failed"), "{dies:?}: {events}");
        println!("the node died while a database was made ({dies:?}): it is whole");
    }
}
