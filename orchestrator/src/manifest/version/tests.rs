use std::cmp::Ordering;

use proptest::prelude::*;

use super::UnsafeVersion;
use super::Version;
use super::compare;
use super::extract;
use crate::manifest::schema;

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn bounds(minimum: &str, refused: &[&str]) -> schema::Version {
    schema::Version {
        current: "99.0".to_owned(),
        minimum_safe: Some(minimum.to_owned()),
        refused: refused.iter().map(|&text| text.to_owned()).collect(),
        reason: Some("it loses money".to_owned()),
        probe_args: Vec::new(),
    }
}

#[test]
fn versions_compare_number_by_number() {
    for (a, order, b) in [
        ("30.0", Ordering::Equal, "30.0.0"),
        ("v31.1", Ordering::Equal, "31.1"),
        ("30.99.0", Ordering::Greater, "30.1"),
        ("0.21.99-beta", Ordering::Greater, "0.21.4-beta"),
        ("0.21.4-beta", Ordering::Equal, "0.21.4-beta.rc2"),
        ("2.4.10", Ordering::Greater, "2.4.2"),
        ("2.4.1", Ordering::Less, "2.4.2"),
        ("0.9", Ordering::Less, "0.10"),
        ("31", Ordering::Less, "31.0.1"),
        ("0.4.9.11", Ordering::Greater, "0.4.9.9"),
        ("2.4.4+7f3a", Ordering::Equal, "2.4.4"),
    ] {
        assert_eq!(compare(a, b).unwrap(), order, "{a} and {b}");
    }
}

#[test]
fn what_is_no_version_is_refused() {
    for text in [
        "",
        "v",
        "beta",
        "-1",
        "30..1",
        ".5",
        "30.",
        "99999999999999999999.1",
    ] {
        assert!(
            text.parse::<Version>().is_err(),
            "{text} was taken for a version"
        );
    }
}

#[test]
fn core_30_0_and_30_1_are_refused_and_local_builds_pass() {
    let core = bounds("28.0", &["30.0", "30.1"]);
    for refused in ["30.0", "30.0.0", "v30.1", "30.1.0"] {
        assert!(
            matches!(
                core.check(&version(refused)),
                Err(UnsafeVersion::Refused { .. })
            ),
            "{refused} passed"
        );
    }
    // A fix release that was made later is not the broken one.
    for safe in ["30.99.0", "30.0.1", "30.2", "31.1", "29.4", "28.0"] {
        assert_eq!(core.check(&version(safe)), Ok(()), "{safe} was refused");
    }
}

#[test]
fn btcpay_below_2_4_2_is_refused() {
    let btcpay = bounds("2.4.2", &[]);
    for old in ["2.4.1", "2.4", "2.3.9", "1.13.7", "0.0.0"] {
        let refusal = btcpay.check(&version(old)).unwrap_err();
        assert!(
            matches!(refusal, UnsafeVersion::TooOld { .. }),
            "{old} passed"
        );
        assert!(
            refusal
                .to_string()
                .ends_with("the oldest that may start: it loses money")
        );
    }
    for safe in ["2.4.2", "2.4.10", "2.5", "3"] {
        assert_eq!(btcpay.check(&version(safe)), Ok(()), "{safe} was refused");
    }
}

#[test]
fn lnd_that_calls_itself_0_21_99_beta_passes() {
    assert_eq!(
        bounds("0.21.4", &[]).check(&version("0.21.99-beta")),
        Ok(())
    );
}

#[test]
fn the_version_is_found_in_what_programs_print() {
    for (printed, expected) in [
        (
            "Bitcoin Core daemon version v30.99.0-dc1e2b bitcoind\nCopyright (C) 2009-2026",
            "30.99.0",
        ),
        ("lnd version 0.21.99-beta commit=", "0.21.99"),
        ("v0.11.1\n", "0.11.1"),
        ("electrs v0.11.1", "0.11.1"),
        (
            "postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)",
            "15.18",
        ),
        ("Tor version 0.4.9.11.\nTor is running on Linux", "0.4.9.11"),
        (
            "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0",
            "7.0.15",
        ),
        ("flash-relay 0.1.0", "0.1.0"),
        ("built 2026 for x86; server 1.2.3", "1.2.3"),
    ] {
        assert_eq!(extract(printed), Some(version(expected)), "{printed}");
    }
    for printed in ["", "no version here", "release 7"] {
        assert_eq!(extract(printed), None, "{printed}");
    }
}

proptest! {
    #[test]
    fn the_order_is_total_and_agrees_with_padded_lists(
        a in proptest::collection::vec(0_u64..4, 1..5),
        b in proptest::collection::vec(0_u64..4, 1..5),
    ) {
        let padded = |list: &[u64]| { let mut list = list.to_vec(); list.resize(8, 0); list };
        let text = |list: &[u64]| list.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        prop_assert_eq!(compare(&text(&a), &text(&b)).unwrap(), padded(&a).cmp(&padded(&b)));
        prop_assert_eq!(version(&text(&a)) == version(&text(&b)), padded(&a) == padded(&b));
    }

    #[test]
    fn a_suffix_never_changes_the_order(a in proptest::collection::vec(0_u64..100, 1..5), suffix in "[-+ ~a-z][a-z0-9.+-]{0,8}") {
        let text = a.iter().map(u64::to_string).collect::<Vec<_>>().join(".");
        prop_assert_eq!(version(&text), version(&format!("{text}{suffix}")));
        prop_assert_eq!(version(&text), version(&format!("v{text}")));
    }

    #[test]
    fn what_is_shown_reads_back_as_the_same_version(a in proptest::collection::vec(any::<u64>(), 1..6)) {
        let version = Version::new(a);
        prop_assert_eq!(version.to_string().parse::<Version>().unwrap(), version);
    }
}
