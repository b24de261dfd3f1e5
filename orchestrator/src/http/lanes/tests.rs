use std::time::Duration;

use axum::response::IntoResponse as _;
use tokio::time::Instant;

use super::Lane;
use super::Lanes;
use super::TILL;
use crate::account::Principal;
use crate::account::Role;

const SMALL: Lane = Lane {
    rate: 10.0,
    burst: 3.0,
    at_once: 2,
    streams: 1,
};

fn program(token: &str, role: Role) -> Principal {
    Principal::Program {
        token: token.to_owned(),
        name: "a program".to_owned(),
        role,
    }
}

fn refused(lanes: &Lanes, who: &Principal) -> Option<(u16, String)> {
    let response = lanes.enter(who).err()?.into_response();
    let wait = response.headers()["retry-after"].to_str().unwrap();
    Some((response.status().as_u16(), wait.to_owned()))
}

#[test]
fn each_has_a_burst_and_a_rate_of_its_own() {
    let lanes = Lanes::of(SMALL, SMALL);
    let (now, key) = (Instant::now(), |name: &str| (true, name.to_owned()));
    for _ in 0..3 {
        lanes.count(key("a"), SMALL, now).unwrap();
    }
    let wait = lanes.count(key("a"), SMALL, now).unwrap_err();
    assert_eq!(wait, Duration::from_millis(100));
    // Another one, and an account of the same name, are not the same.
    lanes.count(key("b"), SMALL, now).unwrap();
    lanes.count((false, "a".to_owned()), SMALL, now).unwrap();
    // Asking in vain costs nothing, and a rest fills it no further than the burst.
    lanes.count(key("a"), SMALL, now + wait).unwrap();
    lanes.count(key("a"), SMALL, now + wait).unwrap_err();
    let later = now + Duration::from_secs(3600);
    for _ in 0..3 {
        lanes.count(key("a"), SMALL, later).unwrap();
    }
    lanes.count(key("a"), SMALL, later).unwrap_err();
}

#[test]
fn who_asks_without_end_is_told_when_to_come_again_and_tills_do_not_notice() {
    let lanes = Lanes::of(TILL, SMALL);
    let (busy, till) = (
        program("busy", Role::Manager),
        program("till", Role::Cashier),
    );
    for _ in 0..3 {
        assert!(lanes.enter(&busy).is_ok());
    }
    assert_eq!(refused(&lanes, &busy), Some((429, "1".to_owned())));
    assert_eq!(refused(&lanes, &program("other", Role::Manager)), None);
    // All of the lane's places are taken.
    let working = [0, 1].map(|number| lanes.enter(&program(&format!("p{number}"), Role::Auditor)));
    let late = program("late", Role::Owner);
    assert_eq!(refused(&lanes, &late), Some((429, "1".to_owned())));
    for _ in 0..20 {
        assert_eq!(refused(&lanes, &till), None);
    }
    drop(working);
    assert_eq!(refused(&lanes, &late), None);
    for _ in 0..100 {
        assert_eq!(refused(&lanes, &Principal::Machine), None);
    }
}

#[test]
fn tills_have_streams_of_their_own() {
    let lanes = Lanes::of(SMALL, SMALL);
    let (staff, till) = (program("a", Role::Manager), program("b", Role::Cashier));
    let _one = lanes.stream(Some(&staff)).unwrap();
    let error = lanes.stream(None).unwrap_err().into_response();
    assert_eq!(error.status().as_u16(), 503);
    let _other = lanes.stream(Some(&till)).unwrap();
    lanes.stream(Some(&till)).unwrap_err();
}

#[test]
fn those_at_rest_are_forgotten() {
    let lanes = Lanes::of(SMALL, SMALL);
    let now = Instant::now();
    for number in 0..5000 {
        let at = now + Duration::from_millis(number);
        lanes.count((true, number.to_string()), SMALL, at).unwrap();
    }
    assert!(lanes.asked.lock().unwrap().len() <= super::REMEMBERED);
}

#[test]
fn one_alone_does_not_take_every_stream_of_its_lane() {
    let lanes = Lanes::new();
    let (leaky, till) = (
        program("leaky", Role::Cashier),
        program("till", Role::Cashier),
    );
    let mut open: Vec<_> = (0..24)
        .map(|_| lanes.stream(Some(&leaky)).unwrap())
        .collect();
    let error = lanes.stream(Some(&leaky)).unwrap_err().into_response();
    assert_eq!(error.status().as_u16(), 503);
    let _own = lanes.stream(Some(&till)).unwrap();
    open.pop();
    let _again = lanes.stream(Some(&leaky)).unwrap();
}
