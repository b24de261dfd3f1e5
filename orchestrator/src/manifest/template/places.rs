//! Owns the list of places where a manifest holds templates.

use super::Scope;
use crate::manifest::locate::Path;
use crate::manifest::locate::place;
use crate::manifest::schema::Ask;
use crate::manifest::schema::Health;
use crate::manifest::schema::Manifest;
use crate::manifest::schema::Probe;
use crate::manifest::schema::Rule;

/// One template of a manifest.
#[derive(Debug, Clone)]
pub struct TemplateAt<'a> {
    /// Where it stands.
    pub path: Path,
    /// What it may read.
    pub scope: Scope,
    /// Its text.
    pub source: &'a str,
    /// Whether it is a path of a URL, in which a leading slash is no path on a disk.
    pub url_path: bool,
}

impl Health {
    /// Lists the three signals with their names.
    #[must_use]
    pub fn signals(&self) -> [(&'static str, &[Rule]); 3] {
        [
            ("alive", &self.alive),
            ("ready", &self.ready),
            ("synced", &self.synced),
        ]
    }
}

/// Lists every template of `manifest`.
#[must_use]
pub fn templates(manifest: &Manifest) -> Vec<TemplateAt<'_>> {
    let mut found = Found(Vec::new());
    for (index, arg) in manifest.program.args.iter().enumerate() {
        found.add(place!["program", "args", index], Scope::Argument, arg);
    }
    for (name, value) in &manifest.program.env {
        found.add(place!["program", "env", name], Scope::Argument, value);
    }
    for (name, file) in &manifest.files {
        found.add(
            place!["files", name, "template"],
            Scope::File,
            &file.template,
        );
    }
    for (name, interface) in &manifest.interfaces {
        if let Some(file) = &interface.file {
            found.add(
                place!["interfaces", name, "file", "path"],
                Scope::Argument,
                &file.path,
            );
        }
    }
    for (name, probe) in &manifest.probes {
        found.probe(&place!["probes", name], probe);
    }
    for (signal, rules) in manifest.health.signals() {
        for (index, rule) in rules.iter().enumerate() {
            found.add(
                place!["health", signal, index, "text"],
                Scope::Text,
                &rule.text,
            );
        }
    }
    for (index, init) in manifest.init.iter().enumerate() {
        let at = place!["init", index];
        if let Some(file) = &init.unless_exists {
            found.add(
                at.then("unless_exists").then("path"),
                Scope::Argument,
                &file.path,
            );
        }
        for (step_index, step) in init.steps.iter().enumerate() {
            let at = at.then("steps").then(step_index);
            if let Some(run) = &step.run {
                for (arg_index, arg) in run.args.iter().enumerate() {
                    found.add(
                        at.then("run").then("args").then(arg_index),
                        Scope::Argument,
                        arg,
                    );
                }
            }
            if let Some(ask) = &step.ask {
                found.probe(&at.then("ask"), ask);
            }
        }
    }
    found.0
}

struct Found<'a>(Vec<TemplateAt<'a>>);

impl<'a> Found<'a> {
    fn add(&mut self, path: Path, scope: Scope, source: &'a str) {
        self.0.push(TemplateAt {
            path,
            scope,
            source,
            url_path: false,
        });
    }

    fn add_url_path(&mut self, path: Path, source: &'a str) {
        self.0.push(TemplateAt {
            path,
            scope: Scope::Ask,
            source,
            url_path: true,
        });
    }

    fn probe(&mut self, at: &Path, probe: &'a Probe) {
        match &probe.ask {
            Ask::Tcp { send, until: _ } => {
                if let Some(send) = send {
                    self.add(at.then("send"), Scope::Ask, send);
                }
            }
            Ask::Http {
                method: _,
                path,
                headers,
                body,
                tls,
            } => {
                self.add_url_path(at.then("path"), path);
                for (name, value) in headers {
                    self.add(at.then("headers").then(name), Scope::Ask, value);
                }
                if let Some(body) = body {
                    self.add(at.then("body"), Scope::Ask, body);
                }
                if let Some(file) = tls {
                    self.add(at.then("tls").then("path"), Scope::Argument, &file.path);
                }
            }
            Ask::Websocket { path, send } => {
                self.add_url_path(at.then("path"), path);
                if let Some(send) = send {
                    self.add(at.then("send"), Scope::Ask, send);
                }
            }
            Ask::Jsonrpc { .. }
            | Ask::Electrum { .. }
            | Ask::Sql { .. }
            | Ask::TorControl { .. } => {}
        }
    }
}
