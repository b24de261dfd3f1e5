use super::*;

fn docker() -> Install {
    Install {
        node: "a1b2c3d4e5f60718293a4b5c6d7e8f90".to_owned(),
        profile: "regtest",
        program: PathBuf::from("/usr/local/bin/flash-node"),
        data: PathBuf::from("/var/lib/flash-node/regtest"),
        roots: BTreeSet::from([PathBuf::from("/mnt/big disk")]),
        docker: true,
        root: true,
        search: Vec::new(),
        grace: 900,
    }
}

fn process() -> Install {
    Install {
        profile: "demo",
        data: PathBuf::from("/home/shop/node"),
        roots: BTreeSet::new(),
        docker: false,
        root: false,
        search: ["/opt/flash", "/usr/bin"].map(PathBuf::from).to_vec(),
        ..docker()
    }
}

fn both(what: &Install) -> String {
    let units = units(what).unwrap_or_else(|failure| panic!("{}", failure.message));
    let [(daemon, text), (halt, halt_text)] = [units.daemon, units.halt];
    format!("# {daemon}\n{text}\n# {halt}\n{halt_text}")
}

#[test]
fn the_units_of_a_node_in_containers() {
    insta::assert_snapshot!(both(&docker()));
}

#[test]
fn the_units_of_a_node_of_processes() {
    insta::assert_snapshot!(both(&process()));
}

#[test]
fn a_stop_may_take_longer_than_the_longest_grace() {
    let units = units(&docker()).unwrap_or_else(|failure| panic!("{}", failure.message));
    let seconds = |text: &str| -> u32 {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("TimeoutStopSec="));
        line.expect("a timeout").parse().expect("seconds")
    };
    assert!(seconds(&units.daemon.1) > 900);
    assert!(seconds(&units.halt.1) > 900);
}

#[test]
fn what_a_unit_would_replace_is_escaped_and_what_it_cannot_hold_is_refused() {
    let odd = Install {
        data: PathBuf::from("/srv/100% \"mine\" $HOME"),
        ..docker()
    };
    let text = both(&odd);
    assert!(
        text.contains(r#"--data "/srv/100%% \"mine\" $$HOME" up"#),
        "{text}"
    );
    assert!(
        text.contains("AssertPathExists=/srv/100%% \"mine\" $HOME/node.json"),
        "{text}"
    );
    let broken = Install {
        data: PathBuf::from("/srv/a\nExecStart=/bin/sh"),
        ..docker()
    };
    let Err(failure) = units(&broken) else {
        panic!("a line break in a path");
    };
    assert_eq!(failure.exit, Exit::Config);
}

#[test]
fn a_home_that_is_needed_is_not_hidden() {
    let below = |data: &str| {
        let what = Install {
            data: PathBuf::from(data),
            ..docker()
        };
        both(&what).contains("ProtectHome=yes")
    };
    assert!(below("/var/lib/flash-node/regtest"));
    assert!(!below("/root/node"));
    assert!(!below("/home/shop/node"));
}
