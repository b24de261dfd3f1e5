//! What a container may not do, read from the engine and from inside.

use flash_node::runtime::Runtime;
use flash_node::service::spec::NetworkKind;
use flash_node::service::spec::Publish;

use crate::bench::Machine;
use crate::bench::attach;
use crate::bench::docker;
use crate::bench::machine;
use crate::bench::run;

const SLEEPS: &str = "exec sleep 100000";

fn inside(machine: &Machine, service: &str, script: &str) -> (bool, String) {
    run(
        "docker",
        &["exec", &machine.container(service), "/bin/sh", "-c", script],
    )
}

fn inspected(machine: &Machine, service: &str, what: &str) -> String {
    docker(&["inspect", "--format", what, &machine.container(service)])
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_container_has_nothing_that_it_does_not_need() {
    let Some(machine) = machine() else { return };
    let unit = machine.shell("alpha", SLEEPS, Vec::new());
    machine.runtime.ensure(&unit).await.unwrap();
    let look = |what| inspected(&machine, "alpha", what);
    assert_eq!(look("{{.Config.User}}"), "265000:265000");
    assert_eq!(look("{{json .HostConfig.CapDrop}}"), "[\"ALL\"]");
    assert_eq!(look("{{json .HostConfig.CapAdd}}"), "null");
    assert_eq!(
        look("{{json .HostConfig.SecurityOpt}}"),
        "[\"no-new-privileges:true\"]"
    );
    assert_eq!(look("{{.HostConfig.ReadonlyRootfs}}"), "true");
    assert_eq!(look("{{.HostConfig.Privileged}}"), "false");
    assert_eq!(
        look("{{.HostConfig.PidsLimit}} {{.HostConfig.Memory}}"),
        "64 67108864"
    );
    assert_eq!(look("{{.HostConfig.RestartPolicy.Name}}"), "no");
    assert_eq!(look("{{.HostConfig.NetworkMode}}"), "none");
    assert!(!look("{{json .Mounts}}").contains("docker.sock"));

    let (_, status) = inside(&machine, "alpha", "cat /proc/1/status");
    let line = |name: &str| {
        let line = status.lines().find(|line| line.starts_with(name));
        line.unwrap().split_whitespace().nth(1).unwrap().to_owned()
    };
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(line(set), "0000000000000000", "{set}");
    }
    assert_eq!(line("NoNewPrivs:"), "1");
    assert_eq!(line("Uid:"), "265000");
    for place in [
        "/",
        "/bin",
        "/etc/passwd",
        "/run/flash-node",
        "/proc/sys/kernel/hostname",
    ] {
        let (well, said) = inside(
            &machine,
            "alpha",
            &format!("echo x >> {place}/x || echo x >> {place}"),
        );
        assert!(!well, "{place} can be written: {said}");
    }
    assert!(
        inside(
            &machine,
            "alpha",
            "echo x > /tmp/x && echo x > /volumes/data/x"
        )
        .0
    );
    // Its number has a name, for programs that ask.
    assert!(
        inside(&machine, "alpha", "id")
            .1
            .contains("265000(service)")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_reach_each_other_on_their_edge_and_nobody_else() {
    let Some(machine) = machine() else { return };
    let serve = "while :; do echo hello | nc -l -p 7000; done";
    let edge = |provider| {
        attach(
            "client/rpc/server",
            NetworkKind::Edge,
            "10.214.1.0",
            provider,
        )
    };
    let other = attach(
        "stranger/rpc/other",
        NetworkKind::Edge,
        "10.214.1.16",
        false,
    );
    let server = machine.shell("server", serve, vec![edge(true)]);
    let mut client = machine.shell("client", SLEEPS, vec![edge(false)]);
    client
        .network
        .hosts
        .insert("server".to_owned(), "10.214.1.2".parse().unwrap());
    let stranger = machine.shell("stranger", SLEEPS, vec![other]);
    for unit in [&server, &client, &stranger] {
        machine.runtime.ensure(unit).await.unwrap();
    }
    let (_, said) = inside(&machine, "client", "nc -w 3 server 7000 < /dev/null");
    assert_eq!(said, "hello");
    let (well, said) = inside(&machine, "stranger", "nc -w 3 10.214.1.2 7000 < /dev/null");
    assert!(!well && said != "hello", "{said}");
    // No name leaves either.
    for who in ["client", "stranger"] {
        let (well, said) = inside(&machine, who, "timeout 8 nslookup example.com");
        assert!(!well, "{who} asked for a name and got: {said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn addresses_stay_when_a_container_is_made_anew() {
    let Some(machine) = machine() else { return };
    let attachments = vec![
        attach(
            "alpha/internet/internet",
            NetworkKind::WayOut,
            "10.214.2.0",
            false,
        ),
        attach("a/rpc/alpha", NetworkKind::Edge, "10.214.2.16", true),
        attach("b/rpc/alpha", NetworkKind::Edge, "10.214.2.32", true),
    ];
    let addresses = |machine: &Machine| {
        let all = inspected(
            machine,
            "alpha",
            "{{range $n, $e := .NetworkSettings.Networks}}{{$n}}={{$e.IPAddress}} {{end}}",
        );
        let mut all: Vec<String> = all.split_whitespace().map(str::to_owned).collect();
        all.sort();
        all
    };
    let mut unit = machine.shell("alpha", SLEEPS, attachments);
    machine.runtime.ensure(&unit).await.unwrap();
    let before = addresses(&machine);
    let expected: Vec<String> = [
        "a/rpc/alpha=10.214.2.18",
        "alpha/internet/internet=10.214.2.3",
        "b/rpc/alpha=10.214.2.34",
    ]
    .map(|line| {
        let (edge, address) = line.split_once('=').unwrap();
        format!("{}={address}", machine.network(edge))
    })
    .to_vec();
    assert_eq!(before, expected);
    let (_, route) = inside(&machine, "alpha", "ip route");
    assert!(route.contains("default via 10.214.2.1 "), "{route}");

    docker(&["kill", &machine.container("alpha")]);
    unit.spec_hash.0.push_str("-changed");
    machine.runtime.ensure(&unit).await.unwrap();
    assert_eq!(addresses(&machine), before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_published_port_leads_in_and_nothing_leads_out() {
    let Some(machine) = machine() else { return };
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let serve = format!("while :; do echo hello | nc -l -p {port}; done");
    let way_in = attach(
        "internet/published/alpha",
        NetworkKind::WayIn,
        "10.214.3.0",
        true,
    );
    let mut unit = machine.shell("alpha", &serve, vec![way_in]);
    unit.network.publish.push(Publish {
        port: "http".parse().unwrap(),
        on: std::net::SocketAddr::from(([127, 0, 0, 1], port)),
        number: port,
    });
    machine.runtime.ensure(&unit).await.unwrap();
    let said = (0..50).find_map(|_| {
        let (well, said) = run(
            "busybox",
            &["nc", "-w", "2", "127.0.0.1", &port.to_string()],
        );
        (well && said == "hello").then_some(said)
    });
    assert_eq!(said.as_deref(), Some("hello"));
    let (well, said) = inside(&machine, "alpha", "timeout 8 nslookup example.com");
    assert!(!well, "{said}");
}
