use std::collections::BTreeSet;
use std::panic::catch_unwind;

use super::POINTS;
use super::armed;
use super::point;

#[test]
fn every_failpoint_has_a_name_of_its_own() {
    let names: BTreeSet<_> = POINTS.iter().collect();
    assert_eq!(names.len(), POINTS.len());
}

#[test]
fn an_unknown_failpoint_panics_in_the_code_and_in_the_environment() {
    assert!(catch_unwind(|| point("state.no_such_point")).is_err());
    assert!(catch_unwind(|| armed::parse("state.no_such_point")).is_err());
    assert!(catch_unwind(|| armed::parse("state.before_commit:often")).is_err());
}

#[test]
fn a_failpoint_may_name_the_hit_at_which_it_kills() {
    let armed = armed::parse("state.before_commit:3");
    assert_eq!((armed.name.as_str(), armed.at), ("state.before_commit", 3));
    assert_eq!(armed::parse("state.after_commit").at, 1);
}
