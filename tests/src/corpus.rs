//! The corpora: where they lie, and the arrays beside their models.
//!
//! They are not part of the repository. Their folder is named by `NONRESC_SHARED`; a test that needs them fails
//! without it, and `tests/run` leaves such tests out.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use nonresc_ir::network::{Element, Network, Shape};
use nonresc_ir::onnx::import::{ImportOptions, Imported, import_file};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_passes::normalise::normalise;
use npyz::{DType, NpyFile, TypeChar};

/// The folder of the corpora.
///
/// # Panics
/// Where the variable does not name one.
pub fn folder() -> PathBuf {
    let folder = std::env::var_os("NONRESC_SHARED")
        .expect("set NONRESC_SHARED to the folder that holds models/, cases/ and onnx_node/");
    let folder = PathBuf::from(folder);
    assert!(folder.is_dir(), "NONRESC_SHARED is no folder: {}", folder.display());
    folder
}

/// A JSON file of the corpora.
///
/// # Panics
/// Where it cannot be read.
pub fn json(path: &Path) -> serde_json::Value {
    let text = fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// Largest distance to a golden output, relative to its largest value.
pub const NEAR: f64 = 1e-4;

/// One entry of a manifest of models.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The model.
    pub file: PathBuf,
    /// Arrays `input` and `output`, where the right answer is no refusal.
    pub golden: Option<PathBuf>,
    /// All that the manifest says.
    pub json: serde_json::Value,
}

impl Entry {
    /// The entries of both manifests.
    ///
    /// # Panics
    /// Where one cannot be read.
    pub fn all() -> Vec<Entry> {
        let mut all = Vec::new();
        for part in ["models", "cases"] {
            let dir = folder().join(part);
            for json in json(&dir.join("manifest.json"))[part].as_array().expect("a manifest lists its files")
            {
                let file = dir.join(json["file"].as_str().expect("an entry names its file"));
                // The cases say where a golden output is from, not in which file it is.
                let golden = json["golden"].as_str().filter(|name| !name.starts_with("none"));
                let golden = golden.map(|name| match part {
                    "models" => dir.join(name),
                    _ => file.with_extension("npz"),
                });
                all.push(Entry { file, golden, json: json.clone() });
            }
        }
        all
    }

    /// What has to become of the file: `accept`, `refuse`, `accept_or_refuse`, ...
    ///
    /// # Panics
    /// Where the manifest does not say it.
    pub fn expect(&self) -> &str {
        self.json["expect"].as_str().expect("an entry says what to expect")
    }

    /// The file's name without its folder.
    pub fn name(&self) -> String {
        self.file.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Whether the file computes with integers, or with floats between roundings.
    pub fn quantised(&self) -> bool {
        self.json["group"] == "quantised"
            || self.json["tolerance"].as_str().is_some_and(|t| t.contains("exact"))
            || self.name().starts_with("q_")
    }

    /// What the file leaves open, where it must be accepted once that is given.
    pub fn options(&self) -> ImportOptions {
        let mut options = ImportOptions::default();
        match (self.expect(), &self.golden) {
            ("accept_with_shape_flag", Some(golden)) => {
                options.input_shape = Some(array(golden, "input").shape().0[1..].to_vec());
            }
            ("refuse_without_flag", Some(_)) => options.outputs = vec!["logits".into()],
            _ => {}
        }
        options
    }

    /// The network under these options.
    ///
    /// # Errors
    /// What import refuses.
    pub fn import(&self, options: &ImportOptions) -> Result<Imported, String> {
        import_file(&self.file, options).map_err(|faults| faults.to_string())
    }

    /// Largest distance of an output to the golden one, relative to its largest value.
    ///
    /// # Panics
    /// Where the manifest gives no tolerance for a file of half precision.
    pub fn limit(&self) -> f64 {
        match self.json["input_dtype"].as_str() {
            Some("float16") => self.json["tolerance"]["rtol"].as_f64().expect("a tolerance"),
            _ => NEAR,
        }
    }
}

/// The entries of both manifests of models that may be read without a flag: the file and what is said of it.
pub fn readable() -> Vec<(PathBuf, serde_json::Value)> {
    let may_be_read = |entry: &Entry| matches!(entry.expect(), "accept" | "accept_or_refuse");
    Entry::all().into_iter().filter(may_be_read).map(|entry| (entry.file, entry.json)).collect()
}

/// The name of a model's file without folder and ending.
pub fn stem(file: &Path) -> String {
    file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default()
}

/// The networks of [`readable`], as they are read, by the stem of the file's name; those that may be refused and
/// are refused are left out.
///
/// # Panics
/// Where a file is refused that must be read.
pub fn networks() -> BTreeMap<String, Network> {
    let mut networks = BTreeMap::new();
    for (file, entry) in readable() {
        match import_file(&file, &ImportOptions::default()) {
            Ok(imported) => {
                networks.insert(stem(&file), imported.network);
            }
            Err(faults) => assert!(entry["expect"] != "accept", "{}: {faults}", file.display()),
        }
    }
    networks
}

/// The [`networks`] in normal form.
///
/// # Panics
/// Where one cannot be normalised.
pub fn normal_networks() -> BTreeMap<String, Network> {
    let mut networks = networks();
    for (name, network) in &mut networks {
        normalise(network).unwrap_or_else(|faults| panic!("{name}: {faults}"));
    }
    networks
}

/// One array of an `.npz` file.
///
/// # Panics
/// Where the file or the array is missing, or of a type that no model has.
pub fn array(path: &Path, name: &str) -> Tensor {
    let file = fs::File::open(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let mut archive = zip::ZipArchive::new(file).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let entry = archive.by_name(&format!("{name}.npy"));
    let entry = entry.unwrap_or_else(|e| panic!("array {name} of {}: {e}", path.display()));
    tensor(NpyFile::new(entry).unwrap_or_else(|e| panic!("array {name} of {}: {e}", path.display())))
}

fn tensor<R: Read>(file: NpyFile<R>) -> Tensor {
    let shape = Shape(file.shape().iter().map(|&d| d as usize).collect());
    assert!(file.order() == npyz::Order::C, "arrays are stored row by row");
    let DType::Plain(ty) = file.dtype() else { panic!("an array of records") };
    let (kind, bytes) = (ty.type_char(), ty.size_field());
    macro_rules! numbers {
        ($element:expr, $variant:ident, $ty:ty) => {
            ($element, Data::$variant(file.into_vec::<$ty>().expect("numbers of the declared type")))
        };
    }
    let int = |bits, signed| Element::Int { bits, signed };
    let (element, data) = match (kind, bytes) {
        (TypeChar::Float, 2) => numbers!(Element::F16, F16, half::f16),
        (TypeChar::Float, 4) => numbers!(Element::F32, F32, f32),
        (TypeChar::Float, 8) => numbers!(Element::F64, F64, f64),
        (TypeChar::Int, 1) => numbers!(int(8, true), I8, i8),
        (TypeChar::Uint, 1) => numbers!(int(8, false), U8, u8),
        (TypeChar::Int, 4) => numbers!(int(32, true), I32, i32),
        (TypeChar::Int, 8) => numbers!(int(64, true), I64, i64),
        _ => panic!("an array of {ty}"),
    };
    Tensor::new(element, shape, data).expect("as many numbers as the shape says")
}

/// Largest difference of two tensors over the largest magnitude of `golden`; infinite where shapes differ or a
/// number is missing.
pub fn distance(given: &Tensor, golden: &Tensor) -> f64 {
    let (a, b) = (given.to_f64(), golden.to_f64());
    if given.shape() != golden.shape() {
        return f64::INFINITY;
    }
    let finite = b.iter().filter(|x| x.is_finite());
    let largest = finite.fold(f64::MIN_POSITIVE, |m, x| m.max(x.abs()));
    a.iter().zip(&b).fold(0.0, |worst: f64, (x, y)| {
        let same = x == y || (x.is_nan() && y.is_nan());
        let apart = if same { 0.0 } else { (x - y).abs() / largest };
        if apart.is_nan() { f64::INFINITY } else { worst.max(apart) }
    })
}
