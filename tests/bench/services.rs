//! Measures relay and mint with the load programs that stand beside them.

use std::io::Read;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::path::Path;
use std::path::PathBuf;
use std::process::Child;
use std::process::Command;
use std::process::Stdio;
use std::time::Duration;
use std::time::Instant;

use serde_json::Value;
use tempfile::TempDir;

use crate::Table;
use crate::daemon::free;
use crate::node::PATIENCE;
use crate::node::program;
use crate::node::programs_folder;
use crate::node::send;
use crate::node::skip;

const CONNECTIONS: &str = "4";
const WINDOW: &str = "32";
const EVENTS: &str = "8000";
const PARALLEL: &str = "16";
const SWAPS: &str = "800";

/// A server that is ended when it goes out of scope.
struct Server {
    child: Child,
    /// The signal that asks it to stop.
    signal: &'static str,
}

impl Server {
    /// Starts `command` and waits until it listens.
    fn start(
        mut command: Command,
        address: SocketAddr,
        signal: &'static str,
        folder: &Path,
    ) -> Self {
        let log = std::fs::File::create(folder.join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut server = Self { child, signal };
        let begun = Instant::now();
        while TcpStream::connect(address).is_err() {
            let ended = server.child.try_wait().unwrap();
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(
                ended.is_none() && begun.elapsed() < PATIENCE,
                "it does not listen ({ended:?})\n{}",
                log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        send(self.child.id(), self.signal);
        let begun = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) {
            if begun.elapsed() > PATIENCE {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

/// Events that were acknowledged after they were on disk, and questions for twenty of them.
pub fn relay(table: &mut Table) {
    let mut run = |place: &str, folder: TempDir| {
        let address = free();
        let config = folder.path().join("relay.toml");
        let data = folder.path().join("data");
        std::fs::create_dir(&data).unwrap();
        let text = format!(
            "listen = \"{address}\"\ndata_dir = {data:?}\nlog_level = \"warn\"\n[limits]\n\
             messages_per_minute_per_address = 100000000\nevents_per_minute_per_address = 100000000\n\
             events_per_minute_per_key = 100000000\nrequests_per_minute_per_address = 100000000\n\
             requests_per_minute_per_key = 100000000\n"
        );
        std::fs::write(&config, text).unwrap();
        let mut command = Command::new(programs_folder().join("flash-relay"));
        command.arg("--config").arg(&config);
        let _server = Server::start(command, address, "-TERM", folder.path());
        let found = load(
            "relay",
            &[&format!("ws://{address}"), CONNECTIONS, WINDOW, EVENTS],
        );
        let value = |key: &str| found[key].as_f64().expect("a number");
        table.add(
            &format!("relay_ingest_4_connections_{place}"),
            value("ingest_per_s"),
            "events/s",
            "",
        );
        table.add(
            &format!("relay_ok_p99_{place}"),
            value("ok_p99_ms"),
            "ms",
            "",
        );
        table.add(
            &format!("relay_query_20_events_p50_{place}"),
            value("req_p50_ms"),
            "ms",
            "",
        );
        table.add(
            &format!("relay_query_20_events_p99_{place}"),
            value("req_p99_ms"),
            "ms",
            "",
        );
    };
    run("on_disk", on_disk());
    match tempfile::Builder::new()
        .prefix("flash-bench-")
        .tempdir_in("/dev/shm")
    {
        Ok(folder) => run("on_tmpfs", folder),
        Err(_) => skip("the relay on tmpfs: there is no /dev/shm to write to"),
    }
}

/// Swaps of four proofs for four, by our mint and by stock cdk-mintd on the same disk, each on its SQLite.
pub fn mint(table: &mut Table) {
    let folder = on_disk();
    let address = free();
    let config = folder.path().join("mint.toml");
    let seed = folder.path().join("seed");
    std::fs::write(&seed, drawn_seed()).unwrap();
    private(&seed);
    let text = format!(
        "listen = \"{address}\"\ndata_dir = {:?}\nseed_file = {seed:?}\nnetwork = \"regtest\"\nname = \"bench\"\n\
         url = \"http://{address}\"\nlog_level = \"warn\"\n[backend]\nkind = \"fake\"\n[limits]\n\
         requests_per_minute = 0\n",
        folder.path().join("data")
    );
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(programs_folder().join("flash-mint"));
    command.arg("--config").arg(&config);
    let server = Server::start(command, address, "-TERM", folder.path());
    let ours = load("mint", &[&format!("http://{address}"), PARALLEL, SWAPS]);
    drop(server);
    let stock = stock_mint();
    let mut row = |name: &str, key: &str, unit: &str, aim: &str| {
        assert_eq!(ours["errors"], 0, "every swap succeeds");
        let rival = stock
            .as_ref()
            .map(|stock| stock[key].as_f64().expect("a number"));
        table.add_beside(
            name,
            ours[key].as_f64().expect("a number"),
            unit,
            rival,
            aim,
        );
    };
    row(
        "mint_swaps_4_to_4_rival_cdk_mintd",
        "swaps_per_s",
        "swaps/s",
        "≥ 80",
    );
    row("mint_swap_p50_rival_cdk_mintd", "p50_ms", "ms", "");
    row("mint_swap_p99_rival_cdk_mintd", "p99_ms", "ms", "< 500");
}

/// The same load on stock cdk-mintd; nothing, and said so, where it is not on the PATH.
fn stock_mint() -> Option<Value> {
    let Some(mintd) = program("cdk-mintd") else {
        skip("the mint beside its rival: there is no cdk-mintd on the PATH");
        return None;
    };
    let folder = on_disk();
    let work = folder.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let address = free();
    let config = folder.path().join("config.toml");
    let text = format!(
        "[info]\nurl = \"http://{address}\"\nlisten_host = \"127.0.0.1\"\nlisten_port = {}\n\
         mnemonic = \"env:FLASH_BENCH_MNEMONIC\"\n[info.logging]\noutput = \"stderr\"\n[database]\nengine = \"sqlite\"\n\
         [payment_backend]\nbackend = \"fakewallet\"\n[onchain]\nonchain_backend = \"none\"\n[fake_wallet]\n\
         fee_percent = 0.0\nreserve_fee_min = 1\nmin_delay_time = 1\nmax_delay_time = 1\n",
        address.port()
    );
    std::fs::write(&config, text).unwrap();
    private(&config);
    let command = || {
        let mut command = Command::new(&mintd);
        // The best known test words of BIP-39: nothing of worth was ever derived from them here.
        let words = format!("{}about", "abandon ".repeat(11));
        command
            .arg("--work-dir")
            .arg(&work)
            .env("FLASH_BENCH_MNEMONIC", words);
        command
    };
    let made = command()
        .args(["config", "init", "--new-mint", "--file"])
        .arg(&config)
        .output()
        .unwrap();
    if !made.status.success() {
        let why = String::from_utf8_lossy(&made.stderr).into_owned();
        skip(&format!(
            "the mint beside its rival: this cdk-mintd takes another configuration: {}",
            why.trim()
        ));
        return None;
    }
    let _server = Server::start(command(), address, "-INT", folder.path());
    let found = load("mint", &[&format!("http://{address}"), PARALLEL, SWAPS]);
    assert_eq!(found["errors"], 0, "every swap succeeds");
    Some(found)
}

/// Runs a load program and returns the JSON line that it prints.
fn load(of: &str, arguments: &[&str]) -> Value {
    let program = programs_folder().join("bench").join(format!("{of}-load"));
    let output = Command::new(program)
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success(), "the load on {of} failed");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// A folder beside the programs, which lie on a disk where /tmp may be memory.
fn on_disk() -> TempDir {
    let beside: PathBuf = programs_folder().join("bench");
    tempfile::Builder::new()
        .prefix("run-")
        .tempdir_in(beside)
        .unwrap()
}

/// A seed as the mint wants it: drawn by chance, 128 hexadecimal digits.
fn drawn_seed() -> String {
    let mut bytes = [0; 64];
    let mut chance = std::fs::File::open("/dev/urandom").unwrap();
    chance.read_exact(&mut bytes).unwrap();
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn private(file: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(file, std::fs::Permissions::from_mode(0o600)).unwrap();
}
