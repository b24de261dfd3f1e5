use std::io::Write;
use std::path::Path;

use clap::CommandFactory;
use clap::Parser;

use super::args;
use super::args::Cli;
use super::args::Command;
use super::args::Global;
use super::check::Kind;
use super::check::check_file;
use super::client::Lines;
use super::client::Sent;
use super::client::SentReader;
use super::detach;
use super::exit::EXIT_HELP;
use super::exit::Exit;
use super::exit::Failure;
use super::log::RotatingFile;
use super::progress::Settled;
use super::progress::Waiting;
use super::progress::line;
use super::progress::settled;
use super::render;
use super::screen::failure_text;
use super::screen::plain;
use super::service::advice;
use super::settings;
use crate::http::ErrorBody;
use crate::manifest;
use crate::manifest::Catalog;
use crate::manifest::choices;
use crate::manifest::profile::ProfileName;
use crate::node::Event;
use crate::node::fixture;
use crate::status::EndpointStatus;
use crate::status::NodeStatus;
use crate::status::Signal;

fn parse(words: &str) -> Result<Command, clap::Error> {
    typed(words).map(|cli| cli.command)
}

fn typed(words: &str) -> Result<Cli, clap::Error> {
    Cli::try_parse_from(std::iter::once("flash-node").chain(words.split_whitespace()))
}

#[test]
fn the_command_line_holds_together() {
    Cli::command().debug_assert();
}

#[test]
fn help_shows_every_exit_code() {
    let help = Cli::command().render_long_help().to_string();
    assert!(help.contains(EXIT_HELP), "{help}");
    for code in 0..=255 {
        let exit = Exit::from_code(code);
        let listed = EXIT_HELP
            .lines()
            .any(|line| line.trim_start().starts_with(&format!("{code} ")));
        assert_eq!(listed, exit as i32 == code, "{code}");
    }
}

#[test]
fn every_command_of_the_manual_parses() {
    for words in [
        "up",
        "up --profile regtest --runtime process --detach --listen 127.0.0.1:0 --moved",
        "down",
        "plan",
        "apply",
        "status --json --wait",
        "status --wait=5",
        "logs relay -n 5 -f",
        "check a.toml b.toml",
        "set relay.name shop --dry-run",
        "set relay.fee -1",
        "set relay",
        "set relay.name",
        "remove relay",
        "remove relay --dry-run",
        "purge relay --confirm relay",
        "retry relay",
        "events -f",
        "edges",
        "rotate electrs/rpc/bitcoind --dry-run",
        "rotate --all --timeout 0",
        "images list",
        "images set bitcoind sha256:00 --dry-run",
        "images pack /usr/bin/bitcoind --with /usr/share/bitcoin",
        "service install",
        "service remove",
        "service show",
        "doctor",
        "doctor --audit",
        "unlock",
        "unlock --recovery-key",
        "unlock --key-file /media/key",
        "passphrase change",
        "passphrase change --recovery-key",
        "passphrase change --key-file /media/key",
        "key-file add /media/key",
        "seal",
        "tasks",
        "shop",
        "machine",
        "account list",
        "account add mia --role manager --language nl",
        "account role mia cashier",
        "account remove mia",
        "account reset mia",
        "token list",
        "token add metrics --role auditor --days 7",
        "token revoke 0123456789abcdef",
        "audit list -n 5",
        "audit verify",
        "openapi",
        "--data /d -vv --log-format json status",
        "--profile regtest down",
        "down --profile regtest",
    ] {
        assert!(
            parse(words).is_ok(),
            "{words}: {}",
            parse(words).unwrap_err()
        );
    }
}

#[test]
fn the_daemon_behind_detach_is_told_all_that_was_typed() {
    for words in [
        "up --detach --runtime docker --profile regtest",
        "up --detach --runtime process --listen 127.0.0.1:4440 --moved",
        "up --detach -vv --log-format json",
        "up --detach --quiet",
    ] {
        let first = typed(words).unwrap();
        let Command::Up(up) = &first.command else {
            panic!("{words}");
        };
        let told = detach::arguments(&first.global, up, Path::new("/data"));
        let told: Vec<&str> = told.iter().map(|word| word.to_str().unwrap()).collect();
        let heard = typed(&told.join(" ")).unwrap();
        let Command::Up(again) = &heard.command else {
            panic!("{told:?}");
        };
        assert!(again.background_daemon && !again.detach, "{told:?}");
        assert_eq!(heard.global.data.as_deref(), Some(Path::new("/data")));
        let of = |global: &Global, up: &args::Up| {
            let place = (global.profile, up.runtime, up.listen, up.moved);
            (place, global.log_format, global.quiet, global.verbose)
        };
        assert_eq!(of(&heard.global, again), of(&first.global, up), "{words}");
    }
}

#[test]
fn what_cannot_be_meant_is_refused() {
    for words in [
        "",
        "status --wait 5",
        "unlock --recovery-key --key-file k",
        "passphrase change --recovery-key --key-file k",
        "up --profile prod",
        "up --listen here",
        "check",
        "shim --dir /d",
        "-q -v status",
        "up --detach --background-daemon",
    ] {
        assert!(parse(words).is_err(), "{words}");
    }
}

fn troubled() -> NodeStatus {
    let mut status = fixture::status();
    status.vault.state = "sealed".to_owned();
    status.vault.passphrase_set = true;
    status.vault.text = "it waits for the passphrase".to_owned();
    let mint = &mut status.services[0];
    mint.state = "needs_you".to_owned();
    mint.alive = Signal::new(Some(false), "exited", "it ended 5 times in 10 minutes");
    mint.ready = Signal::new(None, "sealed", "the vault is sealed");
    mint.next = Some("flash-node logs mint, then flash-node retry mint".to_owned());
    status.services[1].endpoints.push(EndpointStatus {
        name: "page".to_owned(),
        url: "http://127.0.0.1:4447".to_owned(),
    });
    status
}

#[test]
fn a_healthy_node_reads_as_a_table() {
    insta::assert_snapshot!("status_ready", render::status(&fixture::status(), false));
}

#[test]
fn a_troubled_node_says_why_and_what_next() {
    insta::assert_snapshot!("status_troubled", render::status(&troubled(), false));
}

#[test]
fn an_empty_node_is_no_error() {
    let mut status = fixture::status();
    status.services.clear();
    status.play_money = false;
    insta::assert_snapshot!("status_empty", render::status(&status, false));
}

#[test]
fn colors_change_nothing_but_colors() {
    let colored = render::status(&troubled(), true);
    assert_ne!(colored, render::status(&troubled(), false));
    assert_eq!(
        console::strip_ansi_codes(&colored),
        render::status(&troubled(), false)
    );
}

#[test]
fn addresses_are_aligned() {
    insta::assert_snapshot!("addresses", render::addresses(&troubled()));
}

#[test]
fn text_of_others_cannot_steer_the_terminal() {
    assert_eq!(plain("a\u{1b}[2Jb\rc\td\u{9b}e"), "a[2Jbc\tde");
    let mut status = fixture::status();
    status.services[0].alive = Signal::new(Some(false), "x", "\u{1b}]0;owned\u{7}");
    assert!(!render::status(&status, false).contains('\u{1b}'));
}

#[test]
fn an_event_is_a_line_with_its_time() {
    let event = Event {
        cursor: 7,
        at: 1_709_210_096_000,
        service: Some("relay".to_owned()),
        code: "started".to_owned(),
        text: "it was started".to_owned(),
    };
    assert_eq!(
        render::event(&event),
        "2024-02-29 12:34:56  relay: it was started (started)"
    );
    assert_eq!(render::utc(0), "1970-01-01 00:00:00");
    assert_eq!(render::utc(951_868_800_000), "2000-03-01 00:00:00");
    assert_eq!(render::utc(4_102_444_799_000), "2099-12-31 23:59:59");
}

fn waits(vault: &[&str], others: &[&str]) -> Settled {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    Settled::NeedsYou(Waiting {
        vault: owned(vault),
        others: owned(others),
    })
}

#[test]
fn waiting_ends_when_all_serve_or_somebody_waits_for_the_operator() {
    let mut status = fixture::status();
    assert_eq!(settled(&status), Settled::Ready);
    status.services[0].ready = Signal::new(Some(false), "starting", "it starts");
    assert_eq!(settled(&status), Settled::NotYet);
    status.services[0].state = "needs_you".to_owned();
    assert_eq!(settled(&status), waits(&[], &["mint"]));
    // As long as another still starts, it is not over.
    status.services[1].ready = Signal::new(None, "unknown", "not asked yet");
    assert_eq!(settled(&status), Settled::NotYet);
    status.services[1].ready = Signal::new(None, "not_applicable", "nothing to serve");
    assert_eq!(settled(&status), waits(&[], &["mint"]));
}

#[test]
fn only_what_needs_a_secret_waits_for_a_sealed_vault() {
    let mut sealed = fixture::status();
    sealed.vault.state = "sealed".to_owned();
    sealed.services[0].state = "absent".to_owned();
    sealed.services[0].ready = Signal::new(Some(false), "sealed", "it waits for the vault");
    assert_eq!(settled(&sealed), waits(&["mint"], &[]));
    // What starts without a secret is not there yet, and needs nobody.
    sealed.services[1].state = "absent".to_owned();
    sealed.services[1].ready = Signal::new(Some(false), "starting", "it is being started");
    assert_eq!(settled(&sealed), Settled::NotYet);
    // What waits for a service that waits for the vault is not named, and does not keep others waiting.
    sealed.services[1].ready = Signal::new(Some(false), "waits", "waits for mint");
    assert_eq!(settled(&sealed), waits(&["mint"], &[]));
    sealed.services[1].state = "needs_you".to_owned();
    let Settled::NeedsYou(waiting) = settled(&sealed) else {
        panic!("both wait");
    };
    assert_eq!(
        waiting.sentence(),
        "the vault is sealed; waiting for it: mint; these services need you: relay"
    );
    // The vault was opened: what still says "sealed" is about to start.
    sealed.vault.state = "open".to_owned();
    sealed.services[1].state = "running".to_owned();
    sealed.services[1].ready = Signal::new(Some(true), "ready", "it serves");
    assert_eq!(settled(&sealed), Settled::NotYet);
}

#[test]
fn what_opens_a_sealed_vault_depends_on_whether_there_is_one() {
    let mut status = fixture::status();
    status.vault.state = "sealed".to_owned();
    status.vault.passphrase_set = true;
    assert!(render::next_lines(&status).contains("next: flash-node unlock\n"));
    status.vault.passphrase_set = false;
    assert!(!render::next_lines(&status).contains("unlock"));
    status.vault.exists = false;
    assert!(render::next_lines(&status).contains("next: flash-node passphrase change\n"));
}

#[test]
fn an_arrival_says_that_the_vault_opens_itself() {
    let mut status = fixture::status();
    let data = Path::new("/d");
    let arrived =
        |status: &NodeStatus| super::up::arrived(status, &settled(status), "press Ctrl-C", data);
    assert!(arrived(&status).contains("\nthe vault opens itself until a passphrase is set"));
    status.vault.state = "open".to_owned();
    assert!(!arrived(&status).contains("opens itself"));
}

#[test]
fn a_progress_line_shows_the_signal_that_holds_things_up() {
    let mut service = fixture::service("electrs", "electrum", "tcp://127.0.0.1:1");
    service.state = "backing_off".to_owned();
    service.alive = Signal::new(Some(false), "exited", "it ended with code 1");
    assert_eq!(line(&service), "electrs: backing off, it ended with code 1");
    service.state = "running".to_owned();
    service.alive = Signal::new(Some(true), "alive", "it runs");
    service.ready = Signal::new(Some(false), "syncing", "block 5 of 9");
    assert_eq!(line(&service), "electrs: running, block 5 of 9");
}

#[test]
fn a_failure_prints_what_happened_and_what_next() {
    let failure = Failure::new(Exit::Failed, "first\nsecond \u{1b}[1m", "do this");
    assert_eq!(
        failure_text(&failure),
        "error: first\n       second [1m\nnext: do this\n"
    );
}

#[test]
fn codes_of_the_api_become_exit_codes() {
    for (code, exit) in [
        ("vault_sealed", Exit::Sealed),
        ("bad_manifest", Exit::BadData),
        ("wrong_passphrase", Exit::Refused),
        ("internal", Exit::Internal),
        ("unknown_service", Exit::Failed),
    ] {
        let failure = Failure::from(ErrorBody {
            code: code.to_owned(),
            message: "m".to_owned(),
            hint: "h".to_owned(),
        });
        assert_eq!((failure.exit, failure.next.as_str()), (exit, "h"), "{code}");
    }
}

#[test]
fn the_nearest_name_is_suggested_and_a_far_one_is_not() {
    let known = ["bitcoind", "mint", "relay"].map(str::to_owned);
    assert_eq!(advice("services", "rely", &known), "did you mean `relay`?");
    assert_eq!(
        advice("services", "bitcoin", &known),
        "did you mean `bitcoind`?"
    );
    assert_eq!(
        advice("services", "zzz", &known),
        "its services are: bitcoind, mint, relay"
    );
    assert_eq!(advice("services", "x", &[]), "there are no services");
}

#[test]
fn lines_and_events_are_found_however_the_pieces_fall() {
    let text = "event: event\nid: 4\ndata: {\"a\":1}\n\n: keep alive\n\nevent: status\r\ndata: x\r\n\r\nrest";
    for size in 1..text.len() {
        let (mut lines, mut reader, mut sent) =
            (Lines::default(), SentReader::default(), Vec::new());
        for piece in text.as_bytes().chunks(size) {
            for line in lines.push(piece) {
                sent.extend(reader.line(&line));
            }
        }
        let expected = [("event", "{\"a\":1}"), ("status", "x")].map(|(kind, data)| Sent {
            kind: kind.to_owned(),
            data: data.to_owned(),
        });
        assert_eq!(sent, expected, "pieces of {size}");
    }
}

#[test]
fn a_mistake_in_a_file_is_placed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    std::fs::write(&file, "[services.relay]\nsettings = {}\ncolour = 1\n").unwrap();
    let mistakes = check_file(&file, None).unwrap_err();
    assert!(mistakes.contains("node.toml:3:1: "), "{mistakes}");
    assert!(mistakes.contains("colour"), "{mistakes}");
    std::fs::write(&file, "[services.relay]\nenabled = false\n").unwrap();
    assert_eq!(check_file(&file, None).unwrap().kind, Kind::Choices);
    std::fs::write(&file, "manifest = 1\nid = \"x\"\n").unwrap();
    assert!(check_file(&file, None).is_err());
}

#[test]
fn a_node_toml_is_checked_as_its_node_would() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("node.toml");
    let unknown = "[services.relay.settings]\nnmae = \"x\"\n";
    std::fs::write(&file, unknown).unwrap();
    let checked = check_file(&file, None).unwrap();
    assert!(checked.line().contains("syntax ok"), "{}", checked.line());
    let mistakes = check_file(&file, Some(ProfileName::Demo)).unwrap_err();
    assert!(mistakes.contains("node.toml:2:1: "), "{mistakes}");

    let card = serde_json::json!({
        "node_id": "abcdef00000000000000000000000000",
        "profile": "demo",
        "canonical_path": folder.path(),
    });
    std::fs::write(folder.path().join("node.json"), card.to_string()).unwrap();
    let mistakes = check_file(&file, None).unwrap_err();
    assert!(mistakes.contains("nmae"), "{mistakes}");
    std::fs::write(&file, "[services.nobody]\nenabled = false\n").unwrap();
    assert!(check_file(&file, None).is_err());
    std::fs::write(&file, "[services.relay.settings]\nname = 7\n").unwrap();
    assert!(check_file(&file, None).is_err());
    std::fs::write(&file, "[services.relay.settings]\nname = \"x\"\n").unwrap();
    let checked = check_file(&file, None).unwrap();
    assert!(
        checked.line().ends_with("ok (node.toml)"),
        "{}",
        checked.line()
    );
}

#[test]
fn settings_are_listed_with_value_range_default_and_help() {
    let profile = manifest::profile(ProfileName::Demo);
    let catalog = Catalog::load(None).unwrap();
    let choices = "[services.relay.settings]\nname = \"My relay\"\n";
    let choices = choices::parse(choices, "node.toml").unwrap();
    let lines = |service: &str, setting: Option<&str>| {
        settings::lines(&profile, &choices, &catalog, service, setting)
    };
    let all = lines("relay", None).unwrap().join("\n");
    assert!(all.contains("relay.name = \"My relay\"\n    "), "{all}");
    let one = lines("relay", Some("name")).unwrap();
    assert_eq!(one.len(), 3, "{one:?}");
    assert!(one[2].starts_with("    takes ") && one[2].contains("; default "));
    let failure = lines("relay", Some("nmae")).unwrap_err();
    assert_eq!(failure.next, "did you mean `name`?");
    let failure = lines("rely", None).unwrap_err();
    assert_eq!(failure.next, "did you mean `relay`?");
}

#[test]
fn a_log_that_grew_too_large_is_put_aside_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("flash-node.log");
    let mut log = RotatingFile::open_with_limit(&path, 10).unwrap();
    for line in ["one one one\n", "two two two\n", "three\n"] {
        log.write_all(line.as_bytes()).unwrap();
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "three\n");
    let older = std::fs::read_to_string(folder.path().join("flash-node.log.1")).unwrap();
    assert_eq!(older, "two two two\n");
    // A restart goes on where the file ends.
    let mut log = RotatingFile::open_with_limit(&path, 10).unwrap();
    log.write_all(b"four four\n").unwrap();
    log.write_all(b"five\n").unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "five\n");
}
