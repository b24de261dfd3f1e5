//! Owns the packing of programs of this machine into an image: the programs, what their loader needs, and little else.
//!
//! The same programs and libraries give the same bytes, and so the same image ID, which is known before any engine has
//! seen it. It runs nothing: what a program needs is read from the program.

mod elf;

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::io::Read as _;
use std::io::Write;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Component;
use std::path::Path;
use std::path::PathBuf;

use serde_json::json;
use sha2::Digest as _;
use sha2::Sha256;

use crate::runtime::ImageId;

/// Where the programs stand inside.
const PROGRAMS: &str = "/usr/local/bin";
/// Where the certificates of authorities stand, outside and inside. Source: Debian's ca-certificates.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// The moment of everything inside: none.
const CREATED: &str = "1970-01-01T00:00:00Z";

/// What is packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// The programs, by absolute path. One that lies in a folder of `with` is found there; a link leads to it.
    pub programs: Vec<PathBuf>,
    /// Folders and files that the programs look for, by absolute path; they stand at the same place inside.
    pub with: Vec<PathBuf>,
}

/// Why nothing was packed.
#[derive(Debug, thiserror::Error)]
pub enum PackError {
    /// Nothing was named.
    #[error("no program was named")]
    Nothing,
    /// A path that is not absolute.
    #[error("{0} is not an absolute path")]
    Relative(PathBuf),
    /// Two programs of one name.
    #[error("two programs are called {0}")]
    Twice(String),
    /// A file could not be read.
    #[error("{path} could not be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file is no program, or one for another machine.
    #[error("{path} is no program that can be packed: {why}")]
    NoProgram {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A library is not on this machine.
    #[error("{of} needs the library {library}, which was not found on this machine")]
    NoLibrary {
        /// Who needs it.
        of: PathBuf,
        /// Its name.
        library: String,
    },
    /// The archive could not be written.
    #[error("the image could not be written")]
    Write(#[source] io::Error),
}

/// An image, as an archive that an engine loads.
#[derive(Debug)]
pub struct Packed {
    /// The image that the archive holds.
    pub id: ImageId,
    /// Where the archive was written.
    pub archive: PathBuf,
    /// How large it is. Units: bytes.
    pub size: u64,
}

/// Packs `contents` into an archive in `folder`. Errors: [`PackError`]; then nothing is left there.
///
/// It reads whole programs and writes a file of their size: call it where blocking is allowed.
/// Source: Docker image specification v1.2 (`docker save`).
pub fn pack(contents: &Contents, folder: &Path) -> Result<Packed, PackError> {
    let tree = gather(contents)?;
    let write = PackError::Write;
    let layer_path = folder.join("layer.tar");
    let layer = layer(&tree, &layer_path)?;
    let config = json!({
        "architecture": architecture(),
        "config": { "Labels": { "flash.packed": layer } },
        "created": CREATED,
        "history": [{ "created": CREATED, "created_by": "flash-node images pack" }],
        "os": "linux",
        "rootfs": { "diff_ids": [format!("sha256:{layer}")], "type": "layers" },
    })
    .to_string();
    let id = hex::encode(Sha256::digest(config.as_bytes()));
    let manifest = json!([{
        "Config": format!("{id}.json"),
        "Layers": [format!("{layer}/layer.tar")],
        "RepoTags": null,
    }])
    .to_string();
    let archive = folder.join(format!("{id}.tar"));
    let file = fs::File::create(&archive).map_err(write)?;
    let mut tar = tar::Builder::new(io::BufWriter::new(file));
    text(&mut tar, &format!("{id}.json"), &config)?;
    let mut layer_file = fs::File::open(&layer_path).map_err(write)?;
    let length = layer_file.metadata().map_err(write)?.len();
    let mut header = header(tar::EntryType::Regular, 0o644, length);
    tar.append_data(&mut header, format!("{layer}/layer.tar"), &mut layer_file)
        .map_err(write)?;
    text(&mut tar, "manifest.json", &manifest)?;
    let mut file = tar.into_inner().map_err(write)?;
    file.flush().map_err(write)?;
    fs::remove_file(&layer_path).map_err(write)?;
    let size = fs::metadata(&archive).map_err(write)?.len();
    Ok(Packed {
        id: ImageId(format!("sha256:{id}")),
        archive,
        size,
    })
}

/// Whether the file at `path` is the one that `digest` names. Shape: `sha256:` and 64 hexadecimal digits.
#[must_use]
pub fn holds(path: &Path, digest: &str) -> bool {
    self::digest(path).is_ok_and(|found| digest == format!("sha256:{found}"))
}

/// One thing inside, by its absolute path.
#[derive(Debug, PartialEq, Eq)]
enum Inside {
    Folder,
    Copy { from: PathBuf, executable: bool },
    Text(String),
    Link(PathBuf),
}

type Tree = BTreeMap<PathBuf, Inside>;

fn gather(contents: &Contents) -> Result<Tree, PackError> {
    if contents.programs.is_empty() {
        return Err(PackError::Nothing);
    }
    let mut tree = base();
    for path in &contents.with {
        absolute(path)?;
        carry(path, &mut tree)?;
    }
    let mut loader = elf::Loader::of_machine();
    for program in &contents.programs {
        absolute(program)?;
        let name = program.file_name().unwrap_or_default();
        let inside = Path::new(PROGRAMS).join(name);
        if tree.contains_key(&inside) {
            return Err(PackError::Twice(name.to_string_lossy().into_owned()));
        }
        let real = canonical(program)?;
        if tree.contains_key(&real) {
            insert(&mut tree, inside, Inside::Link(real.clone()));
        } else {
            let copy = Inside::Copy {
                from: real.clone(),
                executable: true,
            };
            insert(&mut tree, inside, copy);
        }
        loader.take(&real)?;
    }
    // What is carried along may be programs and libraries itself.
    let carried: Vec<PathBuf> = tree
        .values()
        .filter_map(|one| match one {
            Inside::Copy { from, .. } => Some(from.clone()),
            _ => None,
        })
        .collect();
    for file in carried {
        loader.take_if_elf(&file)?;
    }
    for (inside, from) in loader.found() {
        if !tree.contains_key(&inside) {
            let copy = Inside::Copy {
                from,
                executable: true,
            };
            insert(&mut tree, inside, copy);
        }
    }
    Ok(tree)
}

/// What every image has.
fn base() -> Tree {
    let mut tree = Tree::new();
    for folder in [
        "/etc", "/run", "/tmp", "/volumes", "/var", "/proc", "/sys", "/dev",
    ] {
        insert(&mut tree, PathBuf::from(folder), Inside::Folder);
    }
    for (file, text) in [
        (
            "/etc/passwd",
            "root:x:0:0:root:/:/sbin/nologin\nnobody:x:65534:65534:nobody:/:/sbin/nologin\n",
        ),
        ("/etc/group", "root:x:0:\nnogroup:x:65534:\n"),
        (
            "/etc/nsswitch.conf",
            "passwd: files\ngroup: files\nhosts: files dns\n",
        ),
    ] {
        insert(
            &mut tree,
            PathBuf::from(file),
            Inside::Text(text.to_owned()),
        );
    }
    if Path::new(AUTHORITIES).is_file() {
        let copy = Inside::Copy {
            from: PathBuf::from(AUTHORITIES),
            executable: false,
        };
        insert(&mut tree, PathBuf::from(AUTHORITIES), copy);
    }
    tree
}

/// Inserts with the folders above.
fn insert(tree: &mut Tree, path: PathBuf, what: Inside) {
    let above: Vec<PathBuf> = path
        .ancestors()
        .skip(1)
        .filter(|folder| folder.parent().is_some())
        .map(Path::to_owned)
        .collect();
    for folder in above {
        tree.entry(folder).or_insert(Inside::Folder);
    }
    tree.insert(path, what);
}

/// Takes a file, or a folder with all that is in it. Links stay links where they lead to what is taken too, and become
/// what they lead to elsewhere.
fn carry(path: &Path, tree: &mut Tree) -> Result<(), PackError> {
    let read = |source| PackError::Read {
        path: path.to_owned(),
        source,
    };
    let found = fs::metadata(path).map_err(read)?;
    if found.is_dir() {
        insert(tree, path.to_owned(), Inside::Folder);
        for entry in fs::read_dir(path).map_err(read)? {
            carry(&entry.map_err(read)?.path(), tree)?;
        }
        return Ok(());
    }
    if found.is_file() {
        let copy = Inside::Copy {
            from: path.to_owned(),
            executable: found.permissions().mode() & 0o111 != 0,
        };
        insert(tree, path.to_owned(), copy);
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<(), PackError> {
    let plain = path
        .components()
        .all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if path.is_absolute() && plain {
        return Ok(());
    }
    Err(PackError::Relative(path.to_owned()))
}

fn canonical(path: &Path) -> Result<PathBuf, PackError> {
    fs::canonicalize(path).map_err(|source| PackError::Read {
        path: path.to_owned(),
        source,
    })
}

/// Writes the layer and returns its digest, as hex.
fn layer(tree: &Tree, path: &Path) -> Result<String, PackError> {
    let write = PackError::Write;
    let file = fs::File::create(path).map_err(write)?;
    let mut tar = tar::Builder::new(io::BufWriter::new(file));
    for (inside, what) in tree {
        let name = inside.strip_prefix("/").unwrap_or(inside);
        match what {
            Inside::Folder => {
                let open = inside == Path::new("/tmp");
                let mode = if open { 0o1777 } else { 0o755 };
                let mut header = header(tar::EntryType::Directory, mode, 0);
                tar.append_data(&mut header, name, io::empty())
                    .map_err(write)?;
            }
            Inside::Text(text) => {
                let length = u64::try_from(text.len()).unwrap_or_default();
                let mut header = header(tar::EntryType::Regular, 0o644, length);
                tar.append_data(&mut header, name, text.as_bytes())
                    .map_err(write)?;
            }
            Inside::Link(to) => {
                let mut header = header(tar::EntryType::Symlink, 0o777, 0);
                tar.append_link(&mut header, name, to).map_err(write)?;
            }
            Inside::Copy { from, executable } => {
                let read = |source| PackError::Read {
                    path: from.clone(),
                    source,
                };
                let file = fs::File::open(from).map_err(read)?;
                let length = file.metadata().map_err(read)?.len();
                let mode = if *executable { 0o755 } else { 0o644 };
                let mut header = header(tar::EntryType::Regular, mode, length);
                // A file that grows meanwhile is cut where it was measured; one that shrinks is an error.
                tar.append_data(&mut header, name, file.take(length))
                    .map_err(write)?;
            }
        }
    }
    let mut file = tar.into_inner().map_err(write)?;
    file.flush().map_err(write)?;
    digest(path).map_err(write)
}

fn text(tar: &mut tar::Builder<impl Write>, name: &str, text: &str) -> Result<(), PackError> {
    let length = u64::try_from(text.len()).unwrap_or_default();
    let mut header = header(tar::EntryType::Regular, 0o644, length);
    tar.append_data(&mut header, name, text.as_bytes())
        .map_err(PackError::Write)
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header.set_uid(0);
    header.set_gid(0);
    header
}

fn digest(path: &Path) -> io::Result<String> {
    let mut file = fs::File::open(path)?;
    let mut hash = Sha256::new();
    let mut piece = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut piece)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&piece[..read]);
    }
}

/// The machine's architecture in the words of images. Source: Go's `GOARCH`.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

#[cfg(test)]
mod tests;
