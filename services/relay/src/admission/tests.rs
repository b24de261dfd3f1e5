use super::*;

fn admission(max: usize, max_per_address: usize) -> Arc<Admission> {
    Arc::new(Admission::new(max, max_per_address, 0))
}

#[test]
fn a_dropped_ticket_makes_room_again() {
    let admission = admission(10, 1);
    let address = IpAddr::from([192, 0, 2, 1]);
    let ticket = admission.admit(address).expect("the first");
    assert!(admission.admit(address).is_err());
    drop(ticket);
    assert!(admission.admit(address).is_ok());
}

#[test]
fn all_addresses_together_are_bounded() {
    let admission = admission(2, 2);
    let _first = admission
        .admit(IpAddr::from([192, 0, 2, 1]))
        .expect("the first");
    let _second = admission
        .admit(IpAddr::from([192, 0, 2, 2]))
        .expect("the second");
    assert!(admission.admit(IpAddr::from([192, 0, 2, 3])).is_err());
}

#[test]
fn this_machine_finds_room_when_others_have_taken_all() {
    let admission = Arc::new(Admission::new(1, 2, 1));
    let _other = admission
        .admit(IpAddr::from([192, 0, 2, 1]))
        .expect("the first");
    assert!(admission.admit(IpAddr::from([192, 0, 2, 2])).is_err());
    for own in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
        assert!(
            admission.admit(own.parse().expect("an address")).is_ok(),
            "{own}"
        );
    }
}

#[test]
fn one_network_of_ipv6_counts_as_one_address() {
    let admission = admission(10, 1);
    let _first = admission
        .admit("2001:db8::1".parse().expect("an address"))
        .expect("the first");
    assert!(
        admission
            .admit("2001:db8::2".parse().expect("an address"))
            .is_err()
    );
    assert!(
        admission
            .admit("2001:db8:0:1::1".parse().expect("an address"))
            .is_ok()
    );
}
