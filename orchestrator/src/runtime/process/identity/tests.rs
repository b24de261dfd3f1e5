use super::*;

#[test]
fn stat_line_is_read_past_a_name_with_spaces_and_parentheses() {
    let line = "4242 (a) R 1 (b) S 17 4242 4200 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 987654 1 2 3";
    assert_eq!(
        parse_stat(line),
        Some(ProcessStat {
            pid: 4242,
            ended: false,
            parent: 17,
            session: 4200,
            start_ticks: 987_654,
        })
    );
}

#[test]
fn zombie_counts_as_ended() {
    let line = "7 (x) Z 1 7 7 0 -1 4194560 1 0 0 0 1 2 3 4 20 0 1 0 55 1 2 3";
    assert!(parse_stat(line).unwrap().ended);
}

#[test]
fn own_process_lives_and_the_same_number_with_another_start_does_not() {
    let own = ProcessIdentity::own().unwrap();
    assert!(own.lives().unwrap());
    let reused = ProcessIdentity {
        start_ticks: own.start_ticks + 1,
        ..own.clone()
    };
    assert!(!reused.lives().unwrap());
    assert!(reused.open().unwrap().is_none());
    assert!(!reused.signal(Signal::KILL).unwrap());
    let earlier_boot = ProcessIdentity {
        boot_id: "00000000-0000-0000-0000-000000000000".to_owned(),
        ..own
    };
    assert!(!earlier_boot.lives().unwrap());
    assert!(!earlier_boot.signal(Signal::KILL).unwrap());
}
