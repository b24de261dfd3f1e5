use std::time::Duration;

use nostr::event::EventBuilder;
use nostr::event::FinalizeEvent;
use nostr::event::Kind;
use nostr::key::Keys;

use super::*;

#[tokio::test]
async fn what_a_subscription_keeps_back_is_bounded_in_bytes() {
    let gone = CancellationToken::new();
    let (outbound, _parcels) = Outbound::new(65_536, Duration::from_secs(1), gone.clone());
    let connection = Connection::new(outbound);
    let note = EventBuilder::new(Kind::TextNote, "x".repeat(20_000))
        .finalize(&Keys::generate())
        .expect("a signature");
    let limits = Limits::default();
    let [first, second] = ["one", "two"].map(Name::new);
    for name in [&first, &second] {
        assert_eq!(connection.open(name, vec![Filter::new()], &limits), Ok(()));
    }
    connection.deliver(&note, &mut None);
    assert!(!gone.is_cancelled());
    // What was let through or closed does not count any more.
    connection.go_live(&first, &HashSet::new());
    connection.close(&second);
    for name in [&first, &second] {
        assert_eq!(connection.open(name, vec![Filter::new()], &limits), Ok(()));
    }
    connection.deliver(&note, &mut None);
    assert!(!gone.is_cancelled());
    connection.deliver(&note, &mut None);
    assert!(gone.is_cancelled());
}
