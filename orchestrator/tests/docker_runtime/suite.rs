//! The conformance suite over real containers.

use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use flash_node::id::Name;
use flash_node::id::ServiceId;
use flash_node::runtime::ImageId;
use flash_node::runtime::Mount;
use flash_node::runtime::Runtime;
use flash_node::runtime::Unit;
use flash_node::runtime::conformance::Act;
use flash_node::runtime::conformance::Bench;

use crate::bench::Machine;
use crate::bench::image;
use crate::bench::machine;

impl Bench for Machine {
    fn runtime(&self) -> &dyn Runtime {
        &self.runtime
    }

    fn restart_node(&mut self) {
        Self::restart_node(self);
    }

    fn image(&self) -> Option<ImageId> {
        Some(image())
    }

    fn volume(&self, service: &ServiceId) -> PathBuf {
        Self::volume(self, service)
    }

    fn mount(&self, service: &ServiceId) -> Mount {
        Mount {
            on_host: Self::volume(self, service),
            inside: PathBuf::from("/volumes/data"),
        }
    }

    fn program(&self, _service: &ServiceId, act: &Act) -> (PathBuf, Vec<String>) {
        let script = match act {
            Act::Runs | Act::Hangs => "exec sleep 100000".to_owned(),
            Act::Ignores => {
                "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done".to_owned()
            }
            Act::Exits(code) => format!("echo out; exit {code}"),
            Act::Shows => "tr '\\0' '\\n' < /proc/$$/environ; cd /run/flash-node && \
                 for file in *; do echo \"$file $(cat $file)\"; done; echo done; exec sleep 100000"
                .to_owned(),
            Act::Counts => "for word in one two three four five; do echo $word; done; \
                 while :; do if [ -f say ]; then cat say; mkdir said; exec sleep 100000; fi; sleep 0.05; done"
                .to_owned(),
        };
        (PathBuf::from("/bin/sh"), vec!["-c".to_owned(), script])
    }

    fn note_job(&self, _service: &ServiceId, _job: &Name, _act: &Act) {}

    fn print(&self, service: &ServiceId, line: &str) {
        let folder = Self::volume(self, service);
        std::fs::write(folder.join("say.new"), format!("{line}\n")).unwrap();
        std::fs::rename(folder.join("say.new"), folder.join("say")).unwrap();
    }

    async fn leave_prepared(&self, unit: &Unit) {
        self.runtime.leave_prepared(unit).await.unwrap();
    }

    fn check_files(&self, service: &ServiceId, names: &[&str]) {
        let dir = self.files(service);
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

flash_node::runtime_conformance!(match machine() {
    Some(machine) => machine,
    None => return,
});
