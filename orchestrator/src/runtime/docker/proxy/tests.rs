//! Which process holds a port for the engine, and for whom.

#![allow(
    clippy::disallowed_methods,
    reason = "the test starts the process that it looks for"
)]

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::process::Stdio;

use super::*;

fn words(text: &str) -> Vec<&OsStr> {
    text.split(' ').map(OsStr::new).collect()
}

#[test]
fn a_command_line_of_the_engine_is_read() {
    let line = "/usr/bin/docker-proxy -proto tcp -host-ip 127.0.0.1 -host-port 4447 -container-ip 10.213.0.2 -container-port 7447";
    let on: SocketAddr = "127.0.0.1:4447".parse().unwrap();
    assert_eq!(read(&words(line)), Some((on, Ipv4Addr::new(10, 213, 0, 2))));
    for other in [
        "",
        "docker-proxy",
        "/usr/bin/my-docker-proxy -host-ip 127.0.0.1 -host-port 1 -container-ip 10.0.0.1",
        "docker-proxy -host-ip 127.0.0.1 -host-port 1 -container-ip",
        "docker-proxy -host-ip 127.0.0.1 -host-port 70000 -container-ip 10.0.0.1",
    ] {
        assert_eq!(read(&words(other)), None, "{other}");
    }
}

#[test]
fn the_one_that_holds_the_port_is_found() {
    let on = SocketAddr::from(([127, 0, 0, 1], 61_411));
    assert_eq!(leads_to(on), None);
    // A process that is called as a proxy is.
    let mut proxy = Command::new("/bin/sh")
        .arg0("docker-proxy")
        .args(["-c", "read wait", "-proto", "tcp", "-host-ip", "127.0.0.1"])
        .args(["-host-port", "61411", "-container-ip", "10.250.3.2"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    // What a process is called can be read a moment after it begins.
    let found = (0..200).find_map(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        leads_to(on)
    });
    let other = leads_to(SocketAddr::from(([127, 0, 0, 1], 61_412)));
    proxy.kill().expect("it runs");
    proxy.wait().expect("it ends");
    assert_eq!(found, Some(Ipv4Addr::new(10, 250, 3, 2)));
    assert_eq!(other, None);
}
