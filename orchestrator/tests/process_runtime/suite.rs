//! The conformance suite over real processes.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use flash_node::id::Name;
use flash_node::id::ServiceId;
use flash_node::runtime::InstanceState;
use flash_node::runtime::Runtime;
use flash_node::runtime::Unit;
use flash_node::runtime::conformance::Act;
use flash_node::runtime::conformance::Bench;

use crate::bench::Machine;
use crate::bench::append;
use crate::bench::processes_naming;
use crate::bench::until;

impl Bench for Machine {
    fn runtime(&self) -> &dyn Runtime {
        &self.runtime
    }

    fn restart_node(&mut self) {
        Self::restart_node(self);
    }

    fn volume(&self, service: &ServiceId) -> PathBuf {
        Self::volume(self, service)
    }

    fn program(&self, service: &ServiceId, act: &Act) -> (PathBuf, Vec<String>) {
        let files = self.runtime.files_dir(service);
        let script = match act {
            Act::Runs | Act::Hangs => "exec sleep 100000".to_owned(),
            Act::Ignores => {
                "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done".to_owned()
            }
            Act::Exits(code) => format!("echo out; exit {code}"),
            // The shell adds variables of its own; the kernel knows what it was given.
            Act::Shows => format!(
                "tr '\\0' '\\n' < /proc/$$/environ; cd {} && \
                 for file in *; do echo \"$file $(cat $file)\"; done; echo done; exec sleep 100000",
                files.display()
            ),
            Act::Counts => {
                "for word in one two three four five; do echo $word; done; exec sleep 100000"
                    .to_owned()
            }
        };
        (PathBuf::from("/bin/sh"), vec!["-c".to_owned(), script])
    }

    fn note_job(&self, _service: &ServiceId, _job: &Name, _act: &Act) {}

    fn print(&self, service: &ServiceId, line: &str) {
        append(&self.log(service), &format!("{line}\n"));
    }

    async fn leave_prepared(&self, unit: &Unit) {
        self.arm(&unit.service, "shim_decided");
        self.runtime.ensure(unit).await.unwrap_err();
        until(|| processes_naming(self.root()).is_empty());
        let instance = self.instance(&unit.service).await;
        assert_eq!(instance.state, InstanceState::Prepared);
    }

    fn check_files(&self, service: &ServiceId, names: &[&str]) {
        let dir = self.runtime.files_dir(service);
        let mode = |path: PathBuf| std::fs::metadata(path).unwrap().mode() & 0o7777;
        assert_eq!(mode(dir.clone()), 0o500);
        let mut found: Vec<String> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        found.sort();
        assert_eq!(found, names);
        for name in names {
            assert_eq!(mode(dir.join(name)), 0o400);
        }
    }
}

flash_node::runtime_conformance!(Machine::new());
