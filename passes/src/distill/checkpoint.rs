//! Everything that a training needs to go on, in one file, which is whole whenever the process ends.
//!
//! A file is safetensors (<https://github.com/huggingface/safetensors>): tensors of f32 by name, and one entry of
//! metadata with the version and the facts as JSON. The same checkpoint is the same bytes. Numbers are kept bit by bit;
//! facts are as exact as JSON is, and floats that must come back exactly belong among the tensors.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostic;
use safetensors::tensor::{Dtype, SafeTensors, View, serialize};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Value, json};

use super::claim::Claim;

/// The entry of the metadata.
const ENTRY: &str = "nonresc-checkpoint";
/// What the format calls its metadata, so that no tensor can be called so.
const METADATA: &str = "__metadata__";
/// The version of the facts' frame.
const VERSION: u64 = 1;

/// The state of a training between two steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checkpoint {
    /// Shape and numbers of each tensor, row-major.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// What is no tensor: epoch, step, digest of the options and the like.
    pub facts: Value,
}

impl Checkpoint {
    /// Whether the file `path` could be written: asked before a training begins, so that no epoch is lost to a refusal.
    ///
    /// # Errors
    /// Where another training writes it; where the path is no file's, or its folder cannot be written.
    pub fn check(path: &Path) -> Result<(), Diagnostic> {
        Claim::new(path).map(drop)
    }

    /// Writes the file `path`, all or nothing: after a crash it holds the old or the new checkpoint.
    ///
    /// The bytes go into `.NAME.unfinished` beside it, are brought to the disk and take the name in one step. What a
    /// killed process left under that name is overwritten by the next. Two processes must not write the same file at a
    /// time: a [`Claim`] keeps them apart.
    ///
    /// # Errors
    /// A tensor whose numbers are not as many as its shape says; where the file system refuses.
    pub fn write(&self, path: &Path) -> Result<(), Diagnostic> {
        let bytes = self.to_bytes().map_err(|why| unwritable(path, why))?;
        replace(path, &bytes).map_err(|e| unwritable(path, e.to_string()))
    }

    /// Reads the file `path`.
    ///
    /// # Errors
    /// Where it cannot be read, or is no checkpoint of this version.
    pub fn read(path: &Path) -> Result<Checkpoint, Diagnostic> {
        let regular = || match fs::metadata(path)?.is_file() {
            true => fs::read(path),
            false => Err(io::Error::other("it is no regular file")),
        };
        let read = regular().map_err(|e| e.to_string()).and_then(|bytes| Checkpoint::from_bytes(&bytes));
        read.map_err(|why| {
            let what = format!("checkpoint {} cannot be read", path.display());
            Diagnostic::new("distill/checkpoint", what, why, "name a checkpoint of nonresc, or begin anew")
        })
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// A tensor that is called as the format calls its metadata, or whose numbers are not as many as its shape says.
    pub fn to_bytes(&self) -> Result<Vec<u8>, String> {
        for (name, (shape, numbers)) in &self.tensors {
            if name == METADATA || length(shape) != Some(numbers.len()) {
                return Err(format!("tensor \"{name}\" of shape {shape:?} has {} numbers", numbers.len()));
            }
        }
        let facts = json!({ "version": VERSION, "facts": self.facts }).to_string();
        let tensors = self.tensors.iter().map(|(name, (shape, numbers))| (name, Floats(shape, numbers)));
        serialize(tensors, Some(HashMap::from([(ENTRY.to_string(), facts)]))).map_err(|e| e.to_string())
    }

    /// The checkpoint that a file holds.
    ///
    /// # Errors
    /// Anything that [`to_bytes`](Self::to_bytes) does not write: tensors that are not of f32, named twice, or that
    /// overlap or leave a gap, other metadata, another version.
    pub fn from_bytes(bytes: &[u8]) -> Result<Checkpoint, String> {
        let no = |e: &dyn std::fmt::Display| format!("it is no safetensors file: {e}");
        let (header, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| no(&e))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| no(&e))?;
        unique_names(&bytes[8..8 + header])?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if view.dtype() != Dtype::F32 {
                return Err(format!("tensor \"{name}\" has numbers of type {:?}, not F32", view.dtype()));
            }
            let numbers = view.data().as_chunks().0.iter().map(|c| f32::from_le_bytes(*c)).collect();
            tensors.insert(name, (view.shape().to_vec(), numbers));
        }
        let entry = metadata.metadata().as_ref().filter(|all| all.len() == 1).and_then(|all| all.get(ENTRY));
        let entry = entry.ok_or_else(|| format!("its metadata is not one entry \"{ENTRY}\""))?;
        let mut entry: Value = serde_json::from_str(entry).map_err(|e| format!("its facts: {e}"))?;
        if entry["version"] != VERSION {
            return Err(format!("it is of version {}, and version {VERSION} is known", entry["version"]));
        }
        let facts = entry.get_mut("facts").map(Value::take).ok_or("it has no facts")?;
        Ok(Checkpoint { tensors, facts })
    }
}

/// Numbers of a shape.
fn length(shape: &[usize]) -> Option<usize> {
    shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent))
}

/// A tensor that becomes bytes when it is written, so that only one of them is held twice.
struct Floats<'a>(&'a [usize], &'a [f32]);

impl View for Floats<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.1.iter().flat_map(|x| x.to_le_bytes()).collect()
    }

    fn data_len(&self) -> usize {
        size_of_val(self.1)
    }
}

/// Refuses a header that names a tensor twice: readers of JSON take one of the two and say nothing.
fn unique_names(header: &[u8]) -> Result<(), String> {
    struct Names;

    impl<'de> Visitor<'de> for Names {
        type Value = Result<(), String>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("tensors by name")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut names = BTreeSet::new();
            let mut twice = Ok(());
            while let Some((name, IgnoredAny)) = map.next_entry::<String, IgnoredAny>()? {
                if names.contains(&name) {
                    twice = Err(format!("\"{name}\" is named twice"));
                }
                names.insert(name);
            }
            Ok(twice)
        }
    }
    serde_json::Deserializer::from_slice(header).deserialize_map(Names).map_err(|e| e.to_string())?
}

pub(super) fn unwritable(path: &Path, why: String) -> Diagnostic {
    let what = format!("checkpoint {} cannot be written", path.display());
    Diagnostic::new(
        "distill/checkpoint",
        what,
        why,
        "choose a folder that can be written, with room for the file",
    )
}

fn folder(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The hidden file of this kind that belongs to `path`, in the same folder.
pub(super) fn beside(path: &Path, kind: &str) -> io::Result<PathBuf> {
    let name = path.file_name().ok_or_else(|| io::Error::other("it does not end in the name of a file"))?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(".");
    hidden.push(kind);
    Ok(folder(path).join(hidden))
}

/// Puts `bytes` in the place of a file in one step.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path, "unfinished")?;
    let written = || -> io::Result<()> {
        let mut file = File::create(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)
    };
    written().inspect_err(|_| {
        // On a full disk it would take what room there is.
        let _ = fs::remove_file(&fresh);
    })?;
    // The name, too, is on the disk before the caller goes on.
    #[cfg(unix)]
    File::open(folder(path))?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::Checkpoint;
    use serde_json::json;
    use std::fs;

    fn checkpoint() -> Checkpoint {
        let mut made = Checkpoint { facts: json!({ "epoch": 3, "name": "é\n\"" }), ..Default::default() };
        made.tensors.insert("w".into(), (vec![2, 3], vec![1.0, -0.0, f32::MIN_POSITIVE, 1e-40, 2.5, 0.1]));
        made.tensors.insert("none".into(), (vec![0, 7], vec![]));
        made.tensors.insert("one".into(), (vec![], vec![f32::INFINITY]));
        made
    }

    /// A safetensors file by its definition: the length of the header, the header, the data.
    fn file(header: &str, data: &[u8]) -> Vec<u8> {
        [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
    }

    const META: &str = r#""__metadata__":{"nonresc-checkpoint":"{\"version\":1,\"facts\":7}"}"#;

    #[test]
    fn what_is_written_is_read_and_replaces_what_was_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state.safetensors");
        Checkpoint::default().write(&path).unwrap();
        fs::write(folder.path().join(".state.safetensors.unfinished"), "left by a killed process").unwrap();
        checkpoint().write(&path).unwrap();
        assert_eq!(Checkpoint::read(&path).unwrap(), checkpoint());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        assert_eq!(fs::read(&path).unwrap(), checkpoint().to_bytes().unwrap());
    }

    #[test]
    fn numbers_are_kept_bit_by_bit() {
        let bits = [0x7fc0_0001, 0xffc1_2345, 0x8000_0000, 0x0000_0001u32];
        let mut made = Checkpoint::default();
        made.tensors.insert("bits".into(), (vec![4], bits.map(f32::from_bits).to_vec()));
        let read = Checkpoint::from_bytes(&made.to_bytes().unwrap()).unwrap();
        assert_eq!(read.tensors["bits"].1.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), bits);
    }

    #[test]
    fn a_file_of_the_format_is_read() {
        let bytes = file(
            &format!(r#"{{{META},"w":{{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}}"#),
            &2.5f32.to_le_bytes(),
        );
        let read = Checkpoint::from_bytes(&bytes).unwrap();
        assert_eq!((read.facts, &read.tensors["w"]), (json!(7), &(vec![1], vec![2.5])));
    }

    #[test]
    fn files_from_anywhere_are_refused() {
        let tensor = |dtype: &str, shape: &str, offsets: &str| {
            format!(r#""w":{{"dtype":"{dtype}","shape":{shape},"data_offsets":{offsets}}}"#)
        };
        let good = tensor("F32", "[2]", "[0,8]");
        let cases = [
            (file(&format!("{{{META},{good},{good}}}"), &[0; 8]), "\"w\" is named twice"),
            (file(&format!("{{{META},{}}}", tensor("I32", "[2]", "[0,8]")), &[0; 8]), "\"w\""),
            (file(&format!("{{{META},{}}}", tensor("F32", "[3]", "[0,8]")), &[0; 8]), "shape"),
            (
                file(&format!("{{{META},{}}}", tensor("F32", "[4611686018427387904,4]", "[0,8]")), &[0; 8]),
                "overflow",
            ),
            (file(&format!("{{{META},{good}}}"), &[0; 7]), "not fully covered"),
            (file(&format!("{{{META},{good}}}"), &[0; 9]), "not fully covered"),
            (file(&format!("{{{good}}}"), &[0; 8]), "nonresc-checkpoint"),
            (file(&format!("{{{}}}", META.replace(":1", ":2")), &[]), "version 2"),
            (file(&format!("{{{}}}", META.replace("facts", "other")), &[]), "no facts"),
            (u64::MAX.to_le_bytes().to_vec(), "header too large"),
            (b"PK".to_vec(), "header too small"),
        ];
        for (bytes, word) in cases {
            let fault = Checkpoint::from_bytes(&bytes).unwrap_err();
            assert!(fault.contains(word), "{fault} does not say {word}");
        }
        let whole = checkpoint().to_bytes().unwrap();
        assert!((0..whole.len()).all(|n| Checkpoint::from_bytes(&whole[..n]).is_err()));
    }

    #[test]
    fn faults_name_the_file_or_the_tensor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("absent");
        assert!(Checkpoint::read(&path).unwrap_err().what.contains("absent"));
        assert!(Checkpoint::read(folder.path()).unwrap_err().why.contains("no regular file"));
        assert!(checkpoint().write(&path.join("below")).is_err());
        for name in ["w", "__metadata__"] {
            let mut wrong = Checkpoint::default();
            let length = if name == "w" { 3 } else { 4 };
            wrong.tensors.insert(name.into(), (vec![4], vec![0.0; length]));
            assert!(wrong.write(&path).unwrap_err().why.contains(name));
        }
        assert!(!path.exists());
    }
}
