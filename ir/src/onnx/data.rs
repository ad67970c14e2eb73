//! Initialisers and external data: tensor messages become tensors here, and nowhere else are files read.
//!
//! Nothing is allocated because a file claims it. Extents are multiplied with care and held against the bytes
//! that are there; external data is looked for below the model's own folder only, links resolved.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use half::{bf16, f16};

use super::messages::TensorProto;
use super::messages::tensor_proto::{DataLocation, DataType};
use crate::network::{Element, Shape};
use crate::tensor::{Data, Tensor};

/// Reads a file whole. No other room of this crate opens one.
pub(super) fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    let found = fs::metadata(path).map_err(|e| e.to_string())?;
    if !found.is_file() {
        return Err("it is no regular file".into());
    }
    fs::read(path).map_err(|e| e.to_string())
}

/// The element type of an ONNX data type, or why there is none.
pub(super) fn element(data_type: i32) -> Result<Element, String> {
    let int = |bits, signed| Ok(Element::Int { bits, signed });
    match DataType::try_from(data_type) {
        Ok(DataType::Float | DataType::Bfloat16) => Ok(Element::F32),
        Ok(DataType::Float16) => Ok(Element::F16),
        Ok(DataType::Double) => Ok(Element::F64),
        Ok(DataType::Bool) => Ok(Element::Bool),
        Ok(DataType::Int4) => int(4, true),
        Ok(DataType::Uint4) => int(4, false),
        Ok(DataType::Int2) => int(2, true),
        Ok(DataType::Uint2) => int(2, false),
        Ok(DataType::Int8) => int(8, true),
        Ok(DataType::Uint8) => int(8, false),
        Ok(DataType::Int16) => int(16, true),
        Ok(DataType::Uint16) => int(16, false),
        Ok(DataType::Int32) => int(32, true),
        Ok(DataType::Uint32) => int(32, false),
        Ok(DataType::Int64) => int(64, true),
        Ok(DataType::Uint64) => int(64, false),
        Ok(DataType::Undefined) => Err("its data type is undefined (0)".into()),
        Ok(other) => Err(format!("its data type is {} ({data_type})", other.as_str_name())),
        Err(_) => Err(format!("its data type {data_type} is not known")),
    }
}

/// Bits that one element takes in `raw_data`.
fn raw_bits(data_type: i32, element: Element) -> usize {
    match element {
        Element::F32 if data_type == DataType::Bfloat16 as i32 => 16,
        Element::F16 => 16,
        Element::F32 => 32,
        Element::F64 => 64,
        Element::Bool => 8,
        Element::Int { bits, .. } => bits.into(),
    }
}

/// Extents of a tensor message, or why they cannot be.
fn shape(dims: &[i64]) -> Result<Shape, String> {
    let extents = dims.iter().map(|&d| usize::try_from(d)).collect::<Result<Vec<_>, _>>();
    let shape = Shape(extents.map_err(|_| format!("its extents {dims:?} hold a negative number"))?);
    // An overflow may hide behind a zero, so each extent counts as one at least.
    let product = shape.0.iter().try_fold(1usize, |n, &d| n.checked_mul(d.max(1)));
    match product.and_then(|n| n.checked_mul(64)) {
        Some(_) => Ok(shape),
        None => Err(format!("its extents {dims:?} are larger than any memory")),
    }
}

/// Reads tensor messages, and the files that they point to.
#[derive(Debug, Default)]
pub(super) struct Loader {
    folder: Option<PathBuf>,
    /// Sizes of the side files seen.
    sizes: BTreeMap<PathBuf, u64>,
    /// Bytes read from side files.
    read: u64,
    /// Tensors read from side files, by file, offset, length, type and extents.
    #[allow(clippy::type_complexity)]
    shared: BTreeMap<(PathBuf, u64, u64, i32, Vec<i64>), Arc<Tensor>>,
}

impl Loader {
    /// A loader whose external data lies below `folder`; without one, external data is refused.
    pub(super) fn new(folder: Option<PathBuf>) -> Self {
        Loader { folder, ..Loader::default() }
    }

    /// The tensor of a message, or why it is none; the caller names the tensor.
    pub(super) fn load(&mut self, message: &TensorProto) -> Result<Arc<Tensor>, String> {
        let data_type = message.data_type();
        let element = element(data_type)?;
        let shape = shape(&message.dims)?;
        if message.segment.is_some() {
            return Err("it is stored in segments, which no runtime reads".into());
        }
        let fields = filled(message);
        if message.data_location() == DataLocation::External {
            if !fields.is_empty() {
                return Err(format!("its data is said to be external, but {} is there", fields.join(", ")));
            }
            return self.external(message, element, shape);
        }
        if !message.external_data.is_empty() {
            return Err("it names external data without the location EXTERNAL".into());
        }
        match fields[..] {
            [] if shape.is_empty() => {}
            [] => return Err(format!("it has no data for its {} elements", shape.len())),
            [_] => {}
            _ => return Err(format!("its data is there more than once: {}", fields.join(", "))),
        }
        let data = match &message.raw_data {
            Some(raw) => from_raw(data_type, element, &shape, raw)?,
            None => from_fields(message, element, &shape)?,
        };
        finish(element, shape, data)
    }

    fn external(
        &mut self,
        message: &TensorProto,
        element: Element,
        shape: Shape,
    ) -> Result<Arc<Tensor>, String> {
        let place = Place::parse(message)?;
        let file = self.resolve(&place.location)?;
        let shown = &place.location;
        let size = fs::metadata(&file).map_err(|e| format!("its file {shown:?}: {e}"))?.len();
        let wanted = raw_len(message.data_type(), element, &shape)? as u64;
        let length = match place.length {
            Some(length) => length,
            None => size.saturating_sub(place.offset),
        };
        match place.offset.checked_add(length) {
            Some(end) if end <= size => {}
            _ => {
                return Err(format!(
                    "it lies at {} + {length} bytes in {shown:?}, which has {size} bytes",
                    place.offset
                ));
            }
        }
        if length != wanted {
            return Err(format!(
                "its extents {shape} want {wanted} bytes, but {shown:?} gives it {length} (the file has {size})"
            ));
        }
        let key = (file.clone(), place.offset, length, message.data_type(), message.dims.clone());
        if let Some(tensor) = self.shared.get(&key) {
            return Ok(tensor.clone());
        }
        self.sizes.insert(file.clone(), size);
        self.read = self.read.saturating_add(length);
        let all: u64 = self.sizes.values().fold(0, |sum, &s| sum.saturating_add(s));
        if self.read > all.saturating_mul(4).saturating_add(1 << 20) {
            return Err(format!(
                "the tensors in {shown:?} overlap so often that they are larger than the file"
            ));
        }
        let (offset, bytes) = (place.offset, wanted);
        let data = read(&file, offset..offset + bytes, message.data_type(), element, shape.len())
            .map_err(|e| format!("its file {shown:?}: {e}"))?;
        let tensor = finish(element, shape, data)?;
        self.shared.insert(key, tensor.clone());
        Ok(tensor)
    }

    /// The file behind a location, links resolved; refused where it is not below the model's folder.
    fn resolve(&self, location: &str) -> Result<PathBuf, String> {
        let refused = |why: &str| Err(format!("its external location {location:?} {why}"));
        let Some(folder) = &self.folder else {
            return refused("cannot be read: the model was not read from a file");
        };
        if location.is_empty() {
            return refused("is empty");
        }
        if location.contains(['\\', '\0', ':']) {
            return refused("is no relative path with forward slashes");
        }
        let relative = Path::new(location);
        if !relative.components().all(|c| matches!(c, Component::Normal(_) | Component::CurDir)) {
            return refused("leaves the model's folder");
        }
        let describe = |e: std::io::Error| format!("its external file {location:?} cannot be read: {e}");
        let folder = fs::canonicalize(folder).map_err(describe)?;
        let file = fs::canonicalize(folder.join(relative)).map_err(describe)?;
        if !file.starts_with(&folder) {
            return refused("leads out of the model's folder through a link");
        }
        if !fs::metadata(&file).map_err(describe)?.is_file() {
            return refused("is no regular file");
        }
        Ok(file)
    }
}

fn finish(element: Element, shape: Shape, data: Data) -> Result<Arc<Tensor>, String> {
    let (len, wanted) = (data.len(), shape.len());
    Tensor::new(element, shape, data)
        .map(Arc::new)
        .ok_or_else(|| format!("it has {len} elements where its extents want {wanted}"))
}

/// Bytes of a side file that are read at once; a whole number of any number's.
const PIECE: u64 = 1 << 20;

/// The `len` numbers in these bytes of a file, read a piece at a time, so that bytes are not held beside numbers.
fn read(
    file: &Path,
    bytes: Range<u64>,
    data_type: i32,
    element: Element,
    len: usize,
) -> std::io::Result<Data> {
    let mut file = File::open(file)?;
    file.seek(SeekFrom::Start(bytes.start))?;
    let mut left = bytes.end - bytes.start;
    // Where a byte holds several numbers all are read at once.
    let piece = if raw_bits(data_type, element) < 8 { left } else { PIECE };
    let mut all = decoded(data_type, element, 0, &[]);
    all.reserve(len);
    let mut raw = Vec::new();
    while left > 0 {
        let size = left.min(piece);
        raw.clear();
        (&mut file).take(size).read_to_end(&mut raw)?;
        if raw.len() as u64 != size {
            return Err(std::io::Error::other("it became shorter while it was read"));
        }
        all.append(decoded(data_type, element, len, &raw));
        left -= size;
    }
    Ok(all)
}

/// Where external data lies.
struct Place {
    location: String,
    offset: u64,
    length: Option<u64>,
}

impl Place {
    fn parse(message: &TensorProto) -> Result<Place, String> {
        let (mut location, mut offset, mut length) = (None, None, None);
        for entry in &message.external_data {
            let (key, value) = (entry.key(), entry.value());
            let number = || {
                value
                    .parse::<u64>()
                    .ok()
                    .filter(|&n| n <= i64::MAX as u64)
                    .ok_or_else(|| format!("its external {key} {value:?} is no number of bytes"))
            };
            let twice = match key {
                "location" => location.replace(value.to_string()).is_some(),
                "offset" => offset.replace(number()?).is_some(),
                "length" => length.replace(number()?).is_some(),
                // A digest, and a runtime's own hint; neither says where the bytes are.
                "checksum" | "basepath" | "prepacked" => false,
                _ => return Err(format!("its external data has an unknown entry {key:?}")),
            };
            if twice {
                return Err(format!("its external data has the entry {key:?} twice"));
            }
        }
        let location = location.ok_or("its data is external, but no location is given")?;
        Ok(Place { location, offset: offset.unwrap_or(0), length })
    }
}

/// The data fields that hold something.
fn filled(m: &TensorProto) -> Vec<&'static str> {
    let fields = [
        ("raw_data", m.raw_data.as_ref().is_some_and(|r| !r.is_empty())),
        ("float_data", !m.float_data.is_empty()),
        ("int32_data", !m.int32_data.is_empty()),
        ("int64_data", !m.int64_data.is_empty()),
        ("double_data", !m.double_data.is_empty()),
        ("uint64_data", !m.uint64_data.is_empty()),
        ("string_data", !m.string_data.is_empty()),
    ];
    fields.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

fn raw_len(data_type: i32, element: Element, shape: &Shape) -> Result<usize, String> {
    let bits = shape.checked_len().and_then(|n| n.checked_mul(raw_bits(data_type, element)));
    bits.map(|b| b.div_ceil(8)).ok_or_else(|| format!("its extents {shape} are larger than any memory"))
}

fn from_raw(data_type: i32, element: Element, shape: &Shape, raw: &[u8]) -> Result<Data, String> {
    let wanted = raw_len(data_type, element, shape)?;
    if raw.len() != wanted {
        return Err(format!(
            "its extents {shape} of {element} want {wanted} bytes, but {} are there",
            raw.len()
        ));
    }
    Ok(decoded(data_type, element, shape.len(), raw))
}

/// The numbers in these bytes: some of a tensor's, or where a byte holds several, all `len` of them.
fn decoded(data_type: i32, element: Element, len: usize, raw: &[u8]) -> Data {
    macro_rules! le {
        ($variant:ident, $ty:ty) => {
            Data::$variant(raw.as_chunks().0.iter().map(|c| <$ty>::from_le_bytes(*c)).collect())
        };
    }
    match element {
        Element::F32 if data_type == DataType::Bfloat16 as i32 => {
            Data::F32(raw.as_chunks().0.iter().map(|c| bf16::from_le_bytes(*c).to_f32()).collect())
        }
        Element::F16 => le!(F16, f16),
        Element::F32 => le!(F32, f32),
        Element::F64 => le!(F64, f64),
        Element::Bool => Data::Bool(raw.iter().map(|&b| b != 0).collect()),
        Element::Int { bits: bits @ ..8, signed } => unpack(raw, bits, signed, len),
        Element::Int { bits: 8, signed: true } => Data::I8(raw.iter().map(|&b| b as i8).collect()),
        Element::Int { bits: 8, signed: false } => Data::U8(raw.to_vec()),
        Element::Int { bits: ..=16, signed: true } => le!(I16, i16),
        Element::Int { bits: ..=16, signed: false } => le!(U16, u16),
        Element::Int { bits: ..=32, signed: true } => le!(I32, i32),
        Element::Int { bits: ..=32, signed: false } => le!(U32, u32),
        Element::Int { signed: true, .. } => le!(I64, i64),
        Element::Int { signed: false, .. } => le!(U64, u64),
    }
}

/// Codes of 2 or 4 bits, the first in the least bits of a byte.
fn unpack(raw: &[u8], bits: u8, signed: bool, len: usize) -> Data {
    let per_byte = 8 / usize::from(bits);
    let code = |i: usize| raw[i / per_byte] >> (bits as usize * (i % per_byte)) & ((1 << bits) - 1);
    match signed {
        false => Data::U8((0..len).map(code).collect()),
        true => Data::I8((0..len).map(|i| (code(i) << (8 - bits)) as i8 >> (8 - bits)).collect()),
    }
}

fn from_fields(m: &TensorProto, element: Element, shape: &Shape) -> Result<Data, String> {
    let ints = |wanted: usize| {
        if m.int32_data.len() != wanted {
            return Err(count("int32_data", m.int32_data.len(), wanted, shape));
        }
        Ok(&m.int32_data)
    };
    fn narrow<T: TryFrom<i32>>(values: &[i32], element: Element) -> Result<Vec<T>, String> {
        let fits = values.iter().map(|&v| T::try_from(v)).collect::<Result<_, _>>();
        fits.map_err(|_| format!("its int32_data holds a number that is no {element}"))
    }
    let n = shape.checked_len().ok_or("its extents are larger than any memory")?;
    let exactly = |what: &'static str, len: usize| {
        if len == n { Ok(()) } else { Err(count(what, len, n, shape)) }
    };
    Ok(match element {
        Element::F32 if m.data_type() == DataType::Bfloat16 as i32 => {
            let words = narrow::<u16>(ints(n)?, element)?;
            Data::F32(words.into_iter().map(|b| bf16::from_bits(b).to_f32()).collect())
        }
        Element::F16 => {
            Data::F16(narrow::<u16>(ints(n)?, element)?.into_iter().map(f16::from_bits).collect())
        }
        Element::F32 => {
            exactly("float_data", m.float_data.len())?;
            Data::F32(m.float_data.clone())
        }
        Element::F64 => {
            exactly("double_data", m.double_data.len())?;
            Data::F64(m.double_data.clone())
        }
        Element::Bool => Data::Bool(ints(n)?.iter().map(|&v| v != 0).collect()),
        Element::Int { bits: bits @ ..8, signed } => {
            let packed = ints(n.div_ceil(8 / usize::from(bits)))?;
            let raw: Vec<u8> = packed.iter().map(|&v| v as u8).collect();
            unpack(&raw, bits, signed, n)
        }
        Element::Int { bits: 8, signed: true } => Data::I8(narrow(ints(n)?, element)?),
        Element::Int { bits: 8, signed: false } => Data::U8(narrow(ints(n)?, element)?),
        Element::Int { bits: ..=16, signed: true } => Data::I16(narrow(ints(n)?, element)?),
        Element::Int { bits: ..=16, signed: false } => Data::U16(narrow(ints(n)?, element)?),
        Element::Int { bits: ..=32, signed: true } => Data::I32(ints(n)?.clone()),
        Element::Int { bits: ..=32, signed: false } => {
            exactly("uint64_data", m.uint64_data.len())?;
            let fits = m.uint64_data.iter().map(|&v| u32::try_from(v)).collect::<Result<_, _>>();
            Data::U32(fits.map_err(|_| format!("its uint64_data holds a number that is no {element}"))?)
        }
        Element::Int { signed: true, .. } => {
            exactly("int64_data", m.int64_data.len())?;
            Data::I64(m.int64_data.clone())
        }
        Element::Int { signed: false, .. } => {
            exactly("uint64_data", m.uint64_data.len())?;
            Data::U64(m.uint64_data.clone())
        }
    })
}

fn count(field: &str, len: usize, wanted: usize, shape: &Shape) -> String {
    format!("its extents {shape} want {wanted} numbers in {field}, but {len} are there")
}
