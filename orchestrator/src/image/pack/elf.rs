//! Owns the reading of programs: which interpreter and which libraries one needs, found as the loader finds them.
//!
//! Source: ld.so(8), "DESCRIPTION", and the System V ABI on DT_NEEDED, DT_RPATH and DT_RUNPATH. It runs nothing.

use std::collections::BTreeMap;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::path::PathBuf;

use object::Object as _;
use object::elf;
use object::read::elf::Dyn as _;
use object::read::elf::ElfFile64;
use object::read::elf::FileHeader as _;
use object::read::elf::ProgramHeader as _;

use super::PackError;

/// Where a loader looks last.
const DEFAULTS: [&str; 4] = ["/lib", "/usr/lib", "/lib64", "/usr/lib64"];
/// Where the machine's own folders of libraries are listed.
const CONFIGURATION: &str = "/etc/ld.so.conf";

/// What was found so far, and where a machine keeps its libraries.
pub(super) struct Loader {
    folders: Vec<PathBuf>,
    read: BTreeSet<PathBuf>,
    found: BTreeMap<PathBuf, PathBuf>,
}

/// What one file says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
struct Needs {
    interpreter: Option<PathBuf>,
    libraries: Vec<String>,
    folders: Vec<PathBuf>,
}

impl Loader {
    /// Takes the folders of this machine's loader.
    pub(super) fn of_machine() -> Self {
        let mut folders = Vec::new();
        configured(Path::new(CONFIGURATION), &mut folders);
        folders.extend(DEFAULTS.iter().map(PathBuf::from));
        Self {
            folders,
            read: BTreeSet::new(),
            found: BTreeMap::new(),
        }
    }

    /// Takes a program with everything it needs. Errors: it is none, or something is missing.
    pub(super) fn take(&mut self, program: &Path) -> Result<(), PackError> {
        let mut waiting = vec![program.to_owned()];
        while let Some(file) = waiting.pop() {
            if !self.read.insert(file.clone()) {
                continue;
            }
            let needs = needs(&file)?;
            if let Some(interpreter) = needs.interpreter {
                self.keep(&interpreter, &file, &mut waiting)?;
            }
            for library in needs.libraries {
                let at =
                    self.locate(&library, &needs.folders)
                        .ok_or_else(|| PackError::NoLibrary {
                            of: file.clone(),
                            library: library.clone(),
                        })?;
                self.keep(&at, &file, &mut waiting)?;
            }
        }
        Ok(())
    }

    /// Takes what `file` needs, where it is a program or a library.
    pub(super) fn take_if_elf(&mut self, file: &Path) -> Result<(), PackError> {
        let mut magic = [0; 4];
        let begun = fs::File::open(file).and_then(|mut file| {
            use std::io::Read as _;
            file.read_exact(&mut magic)
        });
        if begun.is_ok() && magic == elf::ELFMAG {
            return self.take(file);
        }
        Ok(())
    }

    /// Returns where each file stands inside, and where it is copied from.
    pub(super) fn found(self) -> BTreeMap<PathBuf, PathBuf> {
        self.found
    }

    /// Keeps a file at the place where the loader looks for it, whatever it is a link to.
    fn keep(&mut self, at: &Path, of: &Path, waiting: &mut Vec<PathBuf>) -> Result<(), PackError> {
        let real = fs::canonicalize(at).map_err(|_| PackError::NoLibrary {
            of: of.to_owned(),
            library: at.display().to_string(),
        })?;
        self.found.insert(at.to_owned(), real.clone());
        waiting.push(real);
        Ok(())
    }

    fn locate(&self, library: &str, first: &[PathBuf]) -> Option<PathBuf> {
        if library.contains('/') {
            return Some(PathBuf::from(library)).filter(|path| path.is_absolute());
        }
        first
            .iter()
            .chain(&self.folders)
            .map(|folder| folder.join(library))
            .find(|path| path.is_file())
    }
}

fn needs(file: &Path) -> Result<Needs, PackError> {
    let bytes = fs::read(file).map_err(|source| PackError::Read {
        path: file.to_owned(),
        source,
    })?;
    let no = |why: String| PackError::NoProgram {
        path: file.to_owned(),
        why,
    };
    let parsed: ElfFile64<'_, object::Endianness> =
        ElfFile64::parse(&*bytes).map_err(|error| no(error.to_string()))?;
    if !parsed.is_64() || parsed.architecture() != own_architecture() {
        return Err(no("it is made for another kind of machine".to_owned()));
    }
    read(&parsed, file).map_err(|error| no(error.to_string()))
}

fn own_architecture() -> object::Architecture {
    match std::env::consts::ARCH {
        "aarch64" => object::Architecture::Aarch64,
        _ => object::Architecture::X86_64,
    }
}

fn read(parsed: &ElfFile64<'_, object::Endianness>, file: &Path) -> object::Result<Needs> {
    let (header, endian, data) = (parsed.elf_header(), parsed.endian(), parsed.data());
    let mut needs = Needs::default();
    for segment in header.program_headers(endian, data)? {
        if let Some(text) = segment.interpreter(endian, data)? {
            needs.interpreter = Some(PathBuf::from(String::from_utf8_lossy(text).into_owned()));
        }
    }
    let sections = header.sections(endian, data)?;
    let Some((dynamic, link)) = sections.dynamic(endian, data)? else {
        return Ok(needs);
    };
    let strings = sections.strings(endian, data, link)?;
    let text = |value: u64| {
        let offset = u32::try_from(value).unwrap_or(u32::MAX);
        let text = strings.get(offset).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    };
    for entry in dynamic {
        let value: u64 = entry.d_val(endian);
        match entry.d_tag(endian) {
            elf::DT_NEEDED => needs.libraries.push(text(value)),
            elf::DT_RPATH | elf::DT_RUNPATH => {
                let origin = file.parent().unwrap_or_else(|| Path::new("/"));
                let origin = origin.display().to_string();
                needs.folders.extend(
                    text(value)
                        .split(':')
                        .map(|one| {
                            one.replace("${ORIGIN}", &origin)
                                .replace("$ORIGIN", &origin)
                        })
                        .map(PathBuf::from)
                        .filter(|folder| folder.is_absolute()),
                );
            }
            _ => {}
        }
    }
    Ok(needs)
}

/// Reads the folders that a file of the loader's configuration lists, and the files that it includes.
fn configured(file: &Path, into: &mut Vec<PathBuf>) {
    let Ok(text) = fs::read_to_string(file) else {
        return;
    };
    for line in text.lines().map(str::trim) {
        if let Some(pattern) = line.strip_prefix("include ") {
            for included in matching(pattern.trim()) {
                configured(&included, into);
            }
        } else if line.starts_with('/') {
            into.push(PathBuf::from(line));
        }
    }
}

/// Lists the files of a pattern that ends in `/*.conf`, sorted: the one form that Debian uses.
fn matching(pattern: &str) -> Vec<PathBuf> {
    let Some(folder) = pattern.strip_suffix("/*.conf") else {
        return vec![PathBuf::from(pattern)];
    };
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|end| end == "conf"))
        .collect();
    files.sort();
    files
}
