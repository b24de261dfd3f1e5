use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Holder;
use super::Leaving;
use super::Place;
use super::Places;
use super::SLOWEST;

const MOMENT: Duration = Duration::from_millis(3);

async fn next_moment() {
    tokio::time::sleep(MOMENT).await;
}

/// Takes a place while `leaver` waits to be asked to leave, and returns how it is to.
async fn take_from(places: &Arc<Places>, leaver: Arc<Place>) -> (Arc<Place>, Leaving) {
    let leaving = async move { leaver.left().await };
    tokio::join!(places.take(), leaving)
}

fn stays(place: &Place) -> bool {
    !place.leave.is_cancelled()
}

#[tokio::test]
async fn whoever_is_idle_the_longest_and_not_known_gives_way() {
    let places = Places::new(3);
    let known = places.take().await;
    known.know();
    next_moment().await;
    let first = places.take().await;
    next_moment().await;
    let second = places.take().await;
    next_moment().await;
    // It asks something, so that the other one is idle for longer.
    drop(Arc::clone(&first).begin());
    let (fourth, how) = take_from(&places, second).await;
    assert_eq!(how, Leaving::AtOnce, "it never asked");
    assert!(stays(&known) && stays(&first));
    let (_fifth, how) = take_from(&places, first).await;
    assert_eq!(how, Leaving::Gently);
    assert!(stays(&known) && stays(&fourth));
}

#[tokio::test]
async fn who_is_known_gives_way_where_all_are() {
    let places = Places::new(2);
    let first = places.take().await;
    first.know();
    next_moment().await;
    let second = places.take().await;
    second.know();
    take_from(&places, first).await;
    assert!(stays(&second));
}

#[tokio::test]
async fn who_is_being_answered_keeps_the_place_until_that_is_done() {
    let places = Places::new(2);
    let (one, two) = (places.take().await, places.take().await);
    let (answer, _other) = (Arc::clone(&one).begin(), Arc::clone(&two).begin());
    let waits = tokio::time::timeout(10 * MOMENT, places.take()).await;
    assert!(waits.is_err(), "nobody is cut off");
    drop(answer);
    take_from(&places, one).await;
    assert!(stays(&two));
}

#[tokio::test]
async fn one_leaves_for_one_who_comes() {
    let places = Places::new(2);
    let (one, two) = (places.take().await, places.take().await);
    for _ in 0..5 {
        assert!(places.try_take().is_none());
    }
    assert!(!stays(&one) && stays(&two));
}

#[test]
fn who_takes_too_long_over_an_answer_gives_way_after_the_idle_and_before_the_known() {
    let since = Instant::now();
    let holder = |known, answering| Holder {
        answering,
        since,
        asked: true,
        known,
        leave: CancellationToken::new(),
    };
    let rank = |one: Holder, later| one.order(since + later).map(|(rank, _)| rank);
    let (soon, late) = (Duration::from_secs(1), SLOWEST);
    assert_eq!(rank(holder(false, 0), soon), Some(0));
    assert_eq!(rank(holder(false, 1), soon), None);
    assert_eq!(rank(holder(false, 1), late), Some(1));
    assert_eq!(rank(holder(true, 0), late), Some(2));
    assert_eq!(rank(holder(true, 1), late), None);
}
