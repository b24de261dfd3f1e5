use super::{KeysetTotals, Status, judge, metrics};
use crate::{
    config::{Network, Unit},
    issuer::Unresolved,
};

fn totals(pairs: &[(u64, u64)]) -> Vec<KeysetTotals> {
    pairs
        .iter()
        .map(|(issued_sat, redeemed_sat)| KeysetTotals {
            issued_sat: *issued_sat,
            redeemed_sat: *redeemed_sat,
        })
        .collect()
}

fn health(pairs: &[(u64, u64)], open: &Unresolved) -> super::Health {
    judge(Network::Demo, Unit::Sat, &totals(pairs), open)
}

#[test]
fn books_that_add_up_are_ready() {
    let health = health(&[(100, 40), (7, 7)], &Unresolved::default());
    assert_eq!((health.status, health.code), (Status::Ready, "ready"));
    assert_eq!(
        (
            health.keysets,
            health.issued_sat,
            health.redeemed_sat,
            health.outstanding_sat
        ),
        (2, 107, 47, 60)
    );
}

#[test]
fn one_overdrawn_keyset_fails_even_when_the_sum_is_fine() {
    let health = health(&[(100, 0), (7, 8)], &Unresolved::default());
    assert_eq!(
        (health.status, health.code),
        (Status::Failed, "redeemed_exceeds_issued")
    );
    assert!(metrics(&health).contains("\nflash_mint_up 0\n"));
}

#[test]
fn mint_without_a_keyset_fails() {
    assert_eq!(health(&[], &Unresolved::default()).code, "no_keyset");
}

#[test]
fn totals_beyond_all_money_fail_instead_of_wrapping() {
    assert_eq!(
        health(&[(u64::MAX, 0), (1, 0)], &Unresolved::default()).code,
        "totals_overflow"
    );
}

#[test]
fn open_operations_degrade_and_an_overdrawn_keyset_outranks_them() {
    let open = Unresolved {
        swaps: vec!["a".to_owned()],
        melts: vec!["b".to_owned()],
    };
    let seen = health(&[(1, 0)], &open);
    assert_eq!(
        (seen.status, seen.code, seen.unresolved_swaps),
        (Status::Degraded, "swaps_unresolved", 1)
    );
    let melts = Unresolved {
        swaps: vec![],
        melts: vec!["b".to_owned()],
    };
    assert_eq!(health(&[(1, 0)], &melts).code, "melts_unresolved");
    assert_eq!(health(&[(1, 2)], &open).code, "redeemed_exceeds_issued");
}
