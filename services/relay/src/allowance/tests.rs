use std::time::Duration;

use super::*;

#[test]
fn a_refusal_takes_nothing_from_anybody() {
    let (allowances, now) = (Allowances::new(2), Instant::now());
    assert!(allowances.take(&["a"], now));
    assert!(allowances.take(&["a"], now));
    assert!(!allowances.take(&["b", "a"], now));
    assert!(allowances.take(&["b"], now));
    assert!(allowances.take(&["b"], now));
    assert!(!allowances.take(&["b"], now));
}

#[test]
fn what_was_given_back_may_be_taken_again_and_a_minute_refills_all() {
    let (allowances, now) = (Allowances::new(2), Instant::now());
    assert!(allowances.take(&["a"], now));
    allowances.give_back(&"a", now);
    allowances.give_back(&"a", now);
    assert_eq!((0..5).filter(|_| allowances.take(&["a"], now)).count(), 2);
    assert!(allowances.take(&["a"], now + Duration::from_secs(30)));
    let later = now + Duration::from_secs(600);
    assert_eq!((0..5).filter(|_| allowances.take(&["a"], later)).count(), 2);
}

#[test]
fn only_the_idle_are_forgotten() {
    let (allowances, now) = (Allowances::new(1), Instant::now());
    assert!(allowances.take(&["a"], now));
    allowances.forget_idle(now);
    assert!(!allowances.take(&["a"], now));
    allowances.forget_idle(now + Duration::from_secs(61));
    assert!(allowances.lock().is_empty());
}
