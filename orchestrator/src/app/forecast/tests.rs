use std::collections::BTreeMap;
use std::time::Duration;

use super::Forecast;
use super::MINUTE;
use crate::clock::UnixMillis;
use crate::id::ServiceId;

const WALL: u64 = 1_800_000_000_000;

fn id() -> ServiceId {
    ServiceId::new("chain").unwrap()
}

fn minutes(count: u64) -> Duration {
    Duration::from_secs(60 * count)
}

/// Notes `share(minute)` each minute of `range`, and returns what is foretold at its end, in minutes from then.
fn after(
    forecast: &mut Forecast,
    range: std::ops::RangeInclusive<u64>,
    share: impl Fn(u64) -> u32,
) -> Option<u64> {
    let end = *range.end();
    for minute in range {
        forecast.note(BTreeMap::from([(id(), share(minute))]), minutes(minute));
    }
    let wall = UnixMillis(WALL + end * MINUTE);
    let told = forecast.foresee(minutes(end), wall);
    told.get(&id()).map(|at| (at.0 - wall.0) / MINUTE)
}

#[test]
fn it_is_foretold_from_the_pace_and_not_before_enough_was_seen() {
    let mut forecast = Forecast::default();
    // A thousandth each minute, from half on: 500 minutes.
    let pace = |minute: u64| 500_000 + 1_000 * u32::try_from(minute).unwrap();
    assert_eq!(after(&mut forecast, 0..=4, pace), None);
    let told = after(&mut forecast, 5..=10, pace).unwrap();
    assert!((490..=520).contains(&told), "{told}");
    let told = after(&mut forecast, 11..=460, pace).unwrap();
    assert!(
        (40..=45).contains(&told),
        "{told}: 40 minutes are left, told in steps of 5"
    );
}

#[test]
fn the_last_hour_counts_and_not_what_was_before() {
    let mut forecast = Forecast::default();
    // Fast through the empty blocks of the first years, then slow.
    let pace = |minute: u64| {
        let minute = u32::try_from(minute).unwrap();
        (minute.min(10) * 50_000) + minute.saturating_sub(10) * 100
    };
    assert!(after(&mut forecast, 0..=10, pace).unwrap() <= 15);
    let told = after(&mut forecast, 11..=100, pace).unwrap();
    // 491,000 millionths at 100 a minute: 4,910 minutes, in steps of half a day.
    assert!((4_910..=4_910 + 720).contains(&told), "{told}");
}

#[test]
fn nothing_is_foretold_of_what_stands_falls_back_or_takes_for_ever() {
    let mut forecast = Forecast::default();
    assert_eq!(after(&mut forecast, 0..=30, |_| 500_000), None);
    let mut forecast = Forecast::default();
    let rises = |minute: u64| 500_000 + 1_000 * u32::try_from(minute).unwrap();
    assert!(after(&mut forecast, 0..=10, rises).is_some());
    assert_eq!(
        after(&mut forecast, 11..=12, |_| 100_000),
        None,
        "it starts over"
    );
    let mut forecast = Forecast::default();
    let crawls = |minute: u64| u32::try_from(minute / 30).unwrap();
    assert_eq!(after(&mut forecast, 0..=60, crawls), None);
}

#[test]
fn who_has_caught_up_is_forgotten_and_little_is_kept() {
    let mut forecast = Forecast::default();
    for second in 0..20_000 {
        let share = BTreeMap::from([(id(), u32::try_from(second).unwrap())]);
        forecast.note(share, Duration::from_secs(second));
    }
    assert!(forecast.seen[&id()].len() <= 181, "an hour, each 20 s");
    forecast.note(BTreeMap::new(), Duration::from_secs(20_001));
    assert!(forecast.seen.is_empty());
}

#[test]
fn what_is_foretold_moves_in_steps() {
    let mut forecast = Forecast::default();
    let mut told = std::collections::BTreeSet::new();
    // It wavers a little around an even pace.
    for minute in 0..=60_u32 {
        let share = 500_000 + 1_000 * minute + (minute % 3) * 50;
        let now = minutes(minute.into());
        forecast.note(BTreeMap::from([(id(), share)]), now);
        let wall = UnixMillis(WALL).plus(now);
        told.extend(forecast.foresee(now, wall).into_values());
    }
    assert!(told.len() <= 6, "{told:?}");
}
