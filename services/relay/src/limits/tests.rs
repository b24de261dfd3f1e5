use super::*;

#[test]
fn an_address_has_its_minutes_allowance_at_once_and_no_more() {
    let rates = Rates::new(&Limits {
        events_per_minute_per_address: 3,
        ..Limits::default()
    });
    let (busy, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
    let allowed = (0..5).filter(|_| rates.event(busy)).count();
    assert_eq!(allowed, 3);
    assert!(rates.event(other));
}

#[test]
fn an_ipv4_address_in_ipv6_clothes_is_the_same_address() {
    let plain = IpAddr::from([192, 0, 2, 1]);
    assert_eq!(
        bucket("::ffff:192.0.2.1".parse().expect("an address")),
        plain
    );
    assert_eq!(bucket(plain), plain);
}

#[test]
fn forgetting_the_idle_keeps_the_busy() {
    let rates = Rates::new(&Limits {
        auths_per_minute_per_address: 1,
        ..Limits::default()
    });
    let busy = IpAddr::from([192, 0, 2, 1]);
    assert!(rates.auth(busy));
    rates.forget_idle();
    assert!(!rates.auth(busy));
}
