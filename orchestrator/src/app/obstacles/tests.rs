use super::*;
use crate::runtime::Exit;
use crate::secret::SecretBytes;

#[test]
fn a_failed_job_names_the_log_of_its_program_and_quotes_nothing() {
    let error = InitError::Failed {
        job: Name::new("make_cluster").unwrap(),
        step: 1,
        program: "initdb".to_owned(),
        exit: Exit {
            code: Some(1),
            signal: None,
            at: crate::clock::UnixMillis(0),
        },
        tail: SecretBytes::from("hunter2".to_owned()),
    };
    let found = init_failed(&error, |job| format!("/logs/{job}.log").into());
    assert_eq!(found.code, "init_failed");
    assert!(
        found.text.contains("initdb ended with exit code 1"),
        "{found:?}"
    );
    assert!(
        found
            .text
            .ends_with("what it printed is in /logs/make_cluster.log"),
        "{found:?}"
    );
}

fn obstacle(code: &str) -> Obstacle {
    Obstacle {
        code: code.to_owned(),
        text: String::new(),
    }
}

#[test]
fn a_disk_that_hangs_is_named_in_time_and_not_asked_again_until_it_answers() {
    let looks = Looks::default();
    let service = ServiceId::new("mint").unwrap();
    let brief = Duration::from_millis(50);
    let found = looks.within(LONGEST_LOOK, &service, || Some(obstacle("disk_full")));
    assert_eq!(found.unwrap().code, "disk_full");

    let (answer, disk) = mpsc::channel::<()>();
    let hangs = move || {
        let _ = disk.recv();
        Some(obstacle("storage_missing"))
    };
    let found = looks.within(brief, &service, hangs);
    assert_eq!(found.unwrap().code, "disk_silent");
    let found = looks.within(LONGEST_LOOK, &service, || panic!("one look hangs already"));
    assert_eq!(found.unwrap().code, "disk_silent");
    let other = ServiceId::new("relay").unwrap();
    assert_eq!(looks.within(LONGEST_LOOK, &other, || None), None);

    drop(answer);
    let mut found = obstacle("disk_silent");
    while found.code == "disk_silent" {
        std::thread::yield_now();
        found = looks
            .within(LONGEST_LOOK, &service, || panic!("the first look answers"))
            .unwrap();
    }
    assert_eq!(found.code, "storage_missing");
    assert_eq!(looks.within(LONGEST_LOOK, &service, || None), None);
}
