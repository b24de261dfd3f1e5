//! The conformance suite over the runtime in memory.

#![expect(
    clippy::unwrap_used,
    reason = "a test may fail anywhere, also in what its tests share"
)]

use std::path::PathBuf;
use std::sync::Arc;

use flash_node::clock::SystemClock;
use flash_node::id::Name;
use flash_node::id::ServiceId;
use flash_node::runtime::Runtime;
use flash_node::runtime::Unit;
use flash_node::runtime::conformance::Act;
use flash_node::runtime::conformance::Bench;
use flash_node::runtime::fake::Behaviour;
use flash_node::runtime::fake::FakeRuntime;
use flash_node::runtime::fake::JobScript;
use flash_node::runtime::fake::OnAsk;
use flash_node::runtime::fake::OnStart;

struct FakeBench {
    runtime: FakeRuntime,
    data: tempfile::TempDir,
}

fn bench() -> FakeBench {
    FakeBench {
        runtime: FakeRuntime::new(Arc::new(SystemClock::new())),
        data: tempfile::tempdir().unwrap(),
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

impl Bench for FakeBench {
    fn runtime(&self) -> &dyn Runtime {
        &self.runtime
    }

    fn restart_node(&mut self) {
        self.runtime = self.runtime.clone();
    }

    fn volume(&self, service: &ServiceId) -> PathBuf {
        self.data.path().join(service.as_str())
    }

    fn program(&self, service: &ServiceId, act: &Act) -> (PathBuf, Vec<String>) {
        let quiet = Behaviour::default();
        let behaviour = match act {
            Act::Runs | Act::Hangs => quiet,
            Act::Ignores => Behaviour {
                on_ask: OnAsk::Ignores,
                prints: words(&["ready"]),
                ..quiet
            },
            Act::Exits(code) => Behaviour {
                on_start: OnStart::Exits(*code),
                prints: words(&["out"]),
                ..quiet
            },
            Act::Shows => Behaviour {
                prints_surroundings: true,
                prints: words(&["done"]),
                ..quiet
            },
            Act::Counts => Behaviour {
                prints: words(&["one", "two", "three", "four", "five"]),
                ..quiet
            },
        };
        self.runtime.behave(service, behaviour);
        (PathBuf::from("/fake/program"), Vec::new())
    }

    fn note_job(&self, service: &ServiceId, job: &Name, act: &Act) {
        let script = match act {
            Act::Exits(code) => JobScript::Exits(*code, "out\n".to_owned()),
            _ => JobScript::Hangs,
        };
        self.runtime.script_job(service, job, script);
    }

    fn print(&self, service: &ServiceId, line: &str) {
        self.runtime.print(service, line);
    }

    async fn leave_prepared(&self, unit: &Unit) {
        self.runtime.prepare(unit);
    }

    fn check_files(&self, service: &ServiceId, names: &[&str]) {
        let unit = self.runtime.unit(service).unwrap();
        assert!(unit.files.keys().eq(names));
    }
}

flash_node::runtime_conformance!(bench());
