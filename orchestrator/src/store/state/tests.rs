use std::collections::BTreeMap;
use std::path::PathBuf;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;
use crate::clock::UnixMillis;
use crate::manifest::schema::Listen;
use crate::manifest::schema::StopSignal;
use crate::service::spec::LimitSpec;
use crate::service::spec::ProgramSpec;
use crate::service::spec::ServiceSpec;
use crate::service::spec::SpecHash;
use crate::service::spec::StopSpec;
use crate::store::surgery;
use crate::store::surgery::identity;

fn new() -> (TempDir, PathBuf, StateDb) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state.db");
    let state = StateDb::create(&path, &identity(7)).unwrap();
    (folder, path, state)
}

fn service(name: &str) -> ServiceId {
    ServiceId::new(name).unwrap()
}

fn name(name: &str) -> Name {
    Name::new(name).unwrap()
}

fn accepted(revision: u64) -> Accepted {
    Accepted {
        revision,
        at: UnixMillis(revision.saturating_mul(1000)),
        choices: format!("# revision {revision}\n"),
        manifests: BTreeMap::from([("redis.toml".to_owned(), "manifest = 1\n".to_owned())]),
        release: "v1:abc".to_owned(),
    }
}

fn spec(id: &ServiceId, args: Vec<String>) -> ServiceSpec {
    ServiceSpec {
        id: id.clone(),
        manifest: crate::id::ManifestId::new("relay").unwrap(),
        program: ProgramSpec {
            command: "flash-relay".to_owned(),
            image: None,
            args,
            env: BTreeMap::new(),
            listen: Listen::default(),
            folder: None,
        },
        files: BTreeMap::from([("relay.toml".to_owned(), "port = 1\n".to_owned())]),
        secrets: BTreeMap::new(),
        volumes: BTreeMap::new(),
        listeners: BTreeMap::new(),
        provided: BTreeMap::new(),
        network: crate::service::spec::NetworkSpec::default(),
        edges: Vec::new(),
        consumers: Vec::new(),
        stop: StopSpec {
            signal: StopSignal::Term,
            grace_seconds: 10,
        },
        limits: LimitSpec {
            memory_mib: 64,
            pids: 32,
        },
    }
}

#[test]
fn the_last_accepted_state_comes_back_word_for_word_after_a_restart() {
    let (_folder, path, state) = new();
    assert_eq!(state.accepted().unwrap(), None);
    state.accept(&accepted(1)).unwrap();
    state.accept(&accepted(2)).unwrap();
    drop(state);
    let state = StateDb::open(&path).unwrap();
    assert_eq!(state.accepted().unwrap(), Some(accepted(2)));
    assert_eq!(state.history().unwrap(), [accepted(2), accepted(1)]);
}

#[test]
fn twenty_revisions_are_kept_and_none_goes_back() {
    let (_folder, _path, state) = new();
    for revision in 1..=25 {
        state.accept(&accepted(revision)).unwrap();
    }
    let kept: Vec<u64> = state
        .history()
        .unwrap()
        .iter()
        .map(|a| a.revision)
        .collect();
    assert_eq!(kept, (6..=25).rev().collect::<Vec<u64>>());
    for stale in [25, 3, 0, u64::MAX] {
        let error = state.accept(&accepted(stale)).unwrap_err();
        assert!(
            matches!(error, StoreError::WentBack { from: 25, .. }),
            "{error}"
        );
    }
    assert_eq!(state.accepted().unwrap(), Some(accepted(25)));
}

#[test]
fn a_record_and_its_event_and_generation_are_written_together_or_not_at_all() {
    let (_folder, path, state) = new();
    let key = SecretKey("service/mint/seed".to_owned());
    let record = ServiceRecord::new(service("mint"));
    let write = |tx: &Tx<'_>| -> Result<(), StoreError> {
        tx.put_record(&record)?;
        tx.keep_generation(&key, 1)?;
        tx.append_event(Some(&record.service), "secret_made", "made", UnixMillis(5))?;
        Ok(())
    };
    let refused: Result<(), StoreError> = state.transaction(|tx| {
        write(tx)?;
        Err(StoreError::UidsExhausted { count: 0 })
    });
    assert!(refused.is_err());
    assert!(state.records().unwrap().is_empty());
    assert!(state.generations().unwrap().is_empty());
    assert!(state.events_after(0, 10).unwrap().events.is_empty());

    state.transaction(write).unwrap();
    drop(state);
    let state = StateDb::open(&path).unwrap();
    assert_eq!(state.records().unwrap()[&service("mint")], record);
    assert_eq!(state.generations().unwrap()[&key], 1);
    assert_eq!(state.events_after(0, 10).unwrap().events.len(), 1);
}

#[test]
fn a_panic_inside_a_transaction_leaves_nothing_and_the_next_one_works() {
    let (_folder, _path, state) = new();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        state.transaction(|tx| -> Result<(), StoreError> {
            tx.put_record(&ServiceRecord::new(service("relay")))?;
            panic!("in the middle");
        })
    }));
    assert!(panicked.is_err());
    assert!(state.records().unwrap().is_empty());
    state
        .put_record(&ServiceRecord::new(service("mint")))
        .unwrap();
    assert_eq!(state.records().unwrap().len(), 1);
}

#[test]
fn a_removed_service_keeps_its_user_id_and_no_other_service_gets_it() {
    let (_folder, path, state) = new();
    let relay = state.uid_for(&service("relay")).unwrap();
    state
        .put_record(&ServiceRecord::new(service("relay")))
        .unwrap();
    state.remove_record(&service("relay")).unwrap();
    drop(state);
    let state = StateDb::open(&path).unwrap();
    let mint = state.uid_for(&service("mint")).unwrap();
    assert_ne!(relay, mint);
    assert_eq!(state.uid_for(&service("relay")).unwrap(), relay);
    assert_eq!(state.uid_for(&service("mint")).unwrap(), mint);
    assert!(relay >= 200_000 && mint < 200_000 + 1000 * UIDS_PER_NODE);
}

#[test]
fn the_range_of_user_ids_ends_with_a_refusal_and_differs_between_nodes() {
    let (folder, _path, state) = new();
    let mut given = std::collections::BTreeSet::new();
    for n in 0..UIDS_PER_NODE {
        assert!(given.insert(state.uid_for(&service(&format!("s{n}"))).unwrap()));
    }
    let error = state.uid_for(&service("one-more")).unwrap_err();
    assert!(
        matches!(error, StoreError::UidsExhausted { count: 256 }),
        "{error}"
    );
    assert!(given.contains(&state.uid_for(&service("s9")).unwrap()));

    let other = StateDb::create(&folder.path().join("other.db"), &identity(8)).unwrap();
    assert!(!given.contains(&other.uid_for(&service("s0")).unwrap()));
}

#[test]
fn ports_are_kept() {
    let (_folder, path, state) = new();
    assert_eq!(state.api_port().unwrap(), None);
    state.keep_api_port(4420).unwrap();
    state
        .keep_port(&service("relay"), &name("nostr"), 7777)
        .unwrap();
    state
        .keep_port(&service("mint"), &name("cashu"), 3338)
        .unwrap();
    state
        .keep_port(&service("mint"), &name("cashu"), 3339)
        .unwrap();
    drop(state);
    let state = StateDb::open(&path).unwrap();
    assert_eq!(state.api_port().unwrap(), Some(4420));
    let ports = state.ports().unwrap();
    assert_eq!(ports[&(service("relay"), name("nostr"))], 7777);
    assert_eq!(ports[&(service("mint"), name("cashu"))], 3339);
}

#[test]
fn a_generation_never_sinks() {
    let (_folder, _path, state) = new();
    let key = SecretKey("edge/lnd/rpc/bitcoind".to_owned());
    state.keep_generation(&key, 1).unwrap();
    state.keep_generation(&key, 3).unwrap();
    state.keep_generation(&key, 3).unwrap();
    let error = state.keep_generation(&key, 2).unwrap_err();
    assert!(
        matches!(error, StoreError::WentBack { from: 3, to: 2, .. }),
        "{error}"
    );
    assert_eq!(state.generations().unwrap()[&key], 3);
}

#[test]
fn a_number_for_an_intent_is_never_given_twice() {
    let (_folder, path, state) = new();
    let mut given = vec![state.next_id().unwrap(), state.next_id().unwrap()];
    drop(state);
    let state = StateDb::open(&path).unwrap();
    given.push(state.next_id().unwrap());
    assert_eq!(given, [1, 2, 3]);
}

#[test]
fn a_reader_resumes_from_its_cursor_and_learns_where_the_history_begins() {
    let (_folder, path, state) = new();
    for n in 1..=5 {
        let event = state
            .append_event(None, "tick", &format!("number {n}"), UnixMillis(n))
            .unwrap();
        assert_eq!(event.cursor, n);
    }
    drop(state);
    let state = StateDb::open(&path).unwrap();
    let page = state.events_after(2, 2).unwrap();
    let cursors: Vec<u64> = page.events.iter().map(|event| event.cursor).collect();
    assert_eq!((cursors, page.oldest, page.newest), (vec![3, 4], 1, 5));
    assert_eq!(page.events[0].text, "number 3");
    assert!(state.events_after(u64::MAX, 10).unwrap().events.is_empty());
}

#[test]
fn the_history_is_bounded_to_the_newest_events() {
    let (_folder, _path, state) = new();
    state
        .transaction(|tx| -> Result<(), StoreError> {
            for n in 0..EVENTS_KEPT + 10 {
                tx.append_event(None, "tick", "", UnixMillis(n))?;
            }
            Ok(())
        })
        .unwrap();
    let page = state.events_after(0, usize::MAX).unwrap();
    assert_eq!(page.events.len(), usize::try_from(EVENTS_KEPT).unwrap());
    assert_eq!((page.oldest, page.newest), (11, EVENTS_KEPT + 10));
}

#[test]
fn another_nodes_database_is_refused() {
    let (_folder, path, state) = new();
    drop(state);
    let mine = identity(7).node_id;
    assert_eq!(StateDb::open_of(&path, &mine).unwrap().node(), &mine);
    let error = StateDb::open_of(&path, &identity(9).node_id).unwrap_err();
    assert!(matches!(error, StoreError::OtherNode { .. }), "{error}");
}

#[test]
fn a_record_of_a_newer_release_is_refused_and_a_damaged_one_too() {
    let (_folder, path, state) = new();
    state
        .put_record(&ServiceRecord::new(service("relay")))
        .unwrap();
    drop(state);
    let alter = |statement: &str| {
        let connection = rusqlite::Connection::open(&path).unwrap();
        connection.execute_batch(statement).unwrap();
    };
    alter("UPDATE record SET version = 99");
    let error = StateDb::open(&path).unwrap().records().unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NewerSchema {
                found: 99,
                known: 1,
                ..
            }
        ),
        "{error}"
    );
    alter("UPDATE record SET version = 1, body = substr(body, 1, 20)");
    let error = StateDb::open(&path).unwrap().records().unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
    assert!(error.to_string().contains("service relay"), "{error}");
}

#[test]
fn a_new_database_is_never_made_over_an_existing_one() {
    let (_folder, path, state) = new();
    state
        .put_record(&ServiceRecord::new(service("relay")))
        .unwrap();
    drop(state);
    let error = StateDb::create(&path, &identity(7)).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
    assert_eq!(StateDb::open(&path).unwrap().records().unwrap().len(), 1);
    surgery::truncate(&path, 0);
    let error = StateDb::create(&path, &identity(7)).unwrap_err();
    assert!(matches!(error, StoreError::Exists { .. }), "{error}");
}

prop_compose! {
    fn any_intent()(
        id in 0_u64..1_000_000,
        begun_at in any::<u32>(),
        kind in prop_oneof![
            "[0-9a-f]{64}".prop_map(|hash| IntentKind::Start { hash: SpecHash(hash) }),
            (".*", proptest::option::of(any::<u32>()), "[0-9a-f-]{36}", any::<bool>()).prop_map(
                |(reason, deadline, boot_id, asked)| IntentKind::Stop {
                    reason,
                    deadline_at: deadline.map(|at| UnixMillis(at.into())),
                    boot_id,
                    asked,
                }
            ),
            Just(IntentKind::Clean),
            Just(IntentKind::Purge),
        ],
    ) -> Intent {
        Intent { id, kind, begun_at: UnixMillis(begun_at.into()) }
    }
}

prop_compose! {
    fn any_record()(
        id in "[a-z][a-z0-9]{0,20}",
        args in proptest::option::of(proptest::collection::vec(".*", 0..4)),
        intent in proptest::option::of(any_intent()),
        times in any::<[u32; 3]>(),
        failures in any::<u32>(),
        cause in proptest::option::of(".*"),
        flags in any::<[bool; 2]>(),
        jobs in proptest::collection::btree_set("[a-z][a-z0-9]{0,8}", 0..4),
    ) -> ServiceRecord {
        let service = service(&id);
        ServiceRecord {
            applied: args.map(|args| Applied {
                hash: SpecHash("v1:00".to_owned()),
                spec: spec(&service, args),
                settings: BTreeMap::from([(name("limit"), serde_json::json!({"a": [1, null, "x"]}))]),
            }),
            intent,
            first_ready_at: Some(UnixMillis(times[0].into())),
            failures,
            retry_at: Some(UnixMillis(times[1].into())),
            cause,
            needs_you: flags[0],
            removed: flags[1],
            alive_epoch: Some(UnixMillis(times[2].into())),
            epoch_jobs: jobs.iter().map(|job| name(job)).collect(),
            held_data: jobs.iter().map(|job| name(job)).collect(),
            jobs_begun: jobs.iter().take(1).map(|job| name(job)).collect(),
            jobs_done: jobs.into_iter().map(|job| name(&job)).collect(),
            seen_exit: None,
            service,
        }
    }
}

#[test]
fn every_record_comes_back_as_it_was_written() {
    let (_folder, _path, state) = new();
    proptest!(ProptestConfig::with_cases(64), |(record in any_record())| {
        state.put_record(&record).unwrap();
        prop_assert_eq!(&state.records().unwrap()[&record.service], &record);
        state.remove_record(&record.service).unwrap();
        prop_assert!(!state.records().unwrap().contains_key(&record.service));
    });
}
