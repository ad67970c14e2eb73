//! One array in NumPy's `.npy` format, versions 1 to 3, and back
//! (<https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html>).
//!
//! Nothing here knows a file or an archive. What a header claims is held against the bytes that there can be
//! before anything is read, and numbers are stored only as they come.

use std::io::{Read, Write};

use nonresc_ir::network::{Element, Shape};
use nonresc_ir::tensor::{Data, Tensor};

use crate::engine::strided::{StridedCopy, assemble, row_major};

const MAGIC: &[u8; 6] = b"\x93NUMPY";

/// The longest header that is believed; those of plain arrays have some hundred bytes.
const LONGEST_HEADER: usize = 1 << 16;

/// Bytes that are turned into numbers at a time; a multiple of every element's width.
const CHUNK_BYTES: usize = 1 << 16;

/// Reads an array that ends where `from` ends; `most_bytes` is what its numbers may take.
///
/// # Errors
/// Why it is no array of numbers, without the file's name.
pub(super) fn read(mut from: impl Read, most_bytes: u64) -> Result<Tensor, String> {
    let header = Header::read(&mut from)?;
    let Header { kind, width, .. } = header;
    let shape = Shape(header.extents);
    let count = shape.checked_len().filter(|n| n.checked_mul(width).is_some());
    let Some(count) = count.filter(|n| (n * width) as u64 <= most_bytes) else {
        return Err(format!(
            "its header claims {shape} numbers of {width} bytes, and {most_bytes} bytes can be there"
        ));
    };
    let numbers = Numbers { count, big_endian: header.big_endian, from: &mut from };
    let int = |bits, signed| Element::Int { bits, signed };
    let (element, data) = match (kind, width) {
        ('f', 2) => (Element::F16, Data::F16(numbers.read(half::f16::from_le_bytes)?)),
        ('f', 4) => (Element::F32, Data::F32(numbers.read(f32::from_le_bytes)?)),
        ('f', 8) => (Element::F64, Data::F64(numbers.read(f64::from_le_bytes)?)),
        ('b', 1) => (Element::Bool, Data::Bool(numbers.read(|[byte]| byte != 0)?)),
        ('i', 1) => (int(8, true), Data::I8(numbers.read(i8::from_le_bytes)?)),
        ('i', 2) => (int(16, true), Data::I16(numbers.read(i16::from_le_bytes)?)),
        ('i', 4) => (int(32, true), Data::I32(numbers.read(i32::from_le_bytes)?)),
        ('i', 8) => (int(64, true), Data::I64(numbers.read(i64::from_le_bytes)?)),
        ('u', 1) => (int(8, false), Data::U8(numbers.read(u8::from_le_bytes)?)),
        ('u', 2) => (int(16, false), Data::U16(numbers.read(u16::from_le_bytes)?)),
        ('u', 4) => (int(32, false), Data::U32(numbers.read(u32::from_le_bytes)?)),
        ('u', 8) => (int(64, false), Data::U64(numbers.read(u64::from_le_bytes)?)),
        _ => return Err(format!("its elements are {kind}{width}, which are no numbers that are read")),
    };
    if from.read(&mut [0]).map_err(|e| e.to_string())? != 0 {
        return Err("there are bytes behind its last number".into());
    }
    let tensor = Tensor::new(element, shape, data).expect("as many numbers were read as the shape holds");
    Ok(if header.by_column { transposed(&tensor) } else { tensor })
}

/// What stands in front of the numbers.
struct Header {
    /// NumPy's letter for the kind of number.
    kind: char,
    /// Bytes of a number.
    width: usize,
    big_endian: bool,
    by_column: bool,
    extents: Vec<usize>,
}

impl Header {
    fn read(from: &mut impl Read) -> Result<Header, String> {
        let mut read = |n: usize| {
            let mut bytes = vec![0; n];
            from.read_exact(&mut bytes).map_err(|_| "it ends within its header".to_string()).map(|()| bytes)
        };
        let start = read(8)?;
        if !start.starts_with(MAGIC) {
            return Err("it does not begin as a .npy array does".into());
        }
        let length = match start[6] {
            1 => read(2)?,
            2 | 3 => read(4)?,
            version => return Err(format!("version {version} of the format is not known")),
        };
        let length = length.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte));
        if length > LONGEST_HEADER {
            return Err(format!("its header claims {length} bytes, and {LONGEST_HEADER} are believed"));
        }
        let text = String::from_utf8(read(length)?).map_err(|_| "its header is no text")?;
        Dictionary { rest: &text }.header().ok_or_else(|| {
            let start: String = text.trim().chars().take(100).collect();
            format!("its header is not that of an array of numbers: {start:?}")
        })
    }
}

/// The header's text: a Python dictionary of three fixed keys.
struct Dictionary<'a> {
    rest: &'a str,
}

impl<'a> Dictionary<'a> {
    fn header(mut self) -> Option<Header> {
        let (mut ty, mut by_column, mut extents) = (None, None, None);
        self.token("{")?;
        while self.token("}").is_none() {
            let key = self.quoted()?;
            self.token(":")?;
            match key {
                "descr" => ty = Some(self.quoted()?),
                "fortran_order" => by_column = Some(self.truth()?),
                "shape" => extents = Some(self.extents()?),
                _ => return None,
            }
            self.between("}")?;
        }
        let ty = ty?;
        let (order, ty) = match ty.split_at_checked(1)? {
            (order @ ("<" | ">" | "|" | "="), rest) => (order, rest),
            _ => ("=", ty),
        };
        let (kind, width) = ty.split_at_checked(1)?;
        self.rest.trim().is_empty().then_some(Header {
            kind: kind.chars().next()?,
            width: width.parse().ok()?,
            big_endian: order == ">",
            by_column: by_column?,
            extents: extents?,
        })
    }

    fn token(&mut self, token: &str) -> Option<()> {
        self.rest = self.rest.trim_start().strip_prefix(token)?;
        Some(())
    }

    /// A comma, or the end of the list, which is left where it is.
    fn between(&mut self, end: &str) -> Option<()> {
        if self.rest.trim_start().starts_with(end) { Some(()) } else { self.token(",") }
    }

    fn quoted(&mut self) -> Option<&'a str> {
        let quote = if self.token("'").is_some() { '\'' } else { self.token("\"").map(|()| '"')? };
        let (text, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(text)
    }

    fn truth(&mut self) -> Option<bool> {
        if self.token("True").is_some() { Some(true) } else { self.token("False").map(|()| false) }
    }

    fn extents(&mut self) -> Option<Vec<usize>> {
        let mut extents = Vec::new();
        self.token("(")?;
        while self.token(")").is_none() {
            self.rest = self.rest.trim_start();
            let digits = self.rest.find(|c: char| !c.is_ascii_digit())?;
            extents.push(self.rest[..digits].parse().ok()?);
            self.rest = &self.rest[digits..];
            // Python 2 marked long integers.
            let _ = self.token("L");
            self.between(")")?;
        }
        Some(extents)
    }
}

/// Numbers that are still to be read.
struct Numbers<'a, R> {
    count: usize,
    big_endian: bool,
    from: &'a mut R,
}

impl<R: Read> Numbers<'_, R> {
    fn read<T, const WIDTH: usize>(self, number: impl Fn([u8; WIDTH]) -> T) -> Result<Vec<T>, String> {
        let mut numbers = Vec::new();
        let mut chunk = vec![0; CHUNK_BYTES];
        while numbers.len() < self.count {
            let bytes = &mut chunk[..CHUNK_BYTES.min((self.count - numbers.len()) * WIDTH)];
            self.from.read_exact(bytes).map_err(|e| match e.kind() {
                std::io::ErrorKind::UnexpectedEof => format!("it ends before its {} numbers do", self.count),
                _ => e.to_string(),
            })?;
            numbers.extend(bytes.chunks_exact_mut(WIDTH).map(|bytes| {
                let mut ordered = [0; WIDTH];
                ordered.copy_from_slice(bytes);
                if self.big_endian {
                    ordered.reverse();
                }
                number(ordered)
            }));
        }
        Ok(numbers)
    }
}

/// A tensor whose numbers lie column by column, row by row.
fn transposed(tensor: &Tensor) -> Tensor {
    let extents = &tensor.shape().0;
    let backwards: Vec<usize> = extents.iter().rev().copied().collect();
    let from: Vec<isize> = row_major(&backwards).iter().rev().map(|&step| step as isize).collect();
    let copy = StridedCopy::new(extents, (0, &from), (0, &row_major(extents)));
    assemble(tensor.shape().clone(), &[(tensor, copy)])
}

/// Writes an array as version 1 of the format, row by row, little-endian, its numbers at a multiple of 64 bytes.
pub(super) fn write(out: &mut impl Write, tensor: &Tensor) -> std::io::Result<()> {
    let ty = match tensor.data() {
        Data::F16(_) => "<f2",
        Data::F32(_) => "<f4",
        Data::F64(_) => "<f8",
        Data::I8(_) => "|i1",
        Data::U8(_) => "|u1",
        Data::I16(_) => "<i2",
        Data::U16(_) => "<u2",
        Data::I32(_) => "<i4",
        Data::U32(_) => "<u4",
        Data::I64(_) => "<i8",
        Data::U64(_) => "<u8",
        Data::Bool(_) => "|b1",
    };
    let extents: String = tensor.shape().0.iter().map(|extent| format!("{extent}, ")).collect();
    // A tuple of one keeps its comma.
    let extents =
        if tensor.shape().rank() == 1 { extents.trim_end() } else { extents.trim_end_matches(", ") };
    let mut header = format!("{{'descr': '{ty}', 'fortran_order': False, 'shape': ({extents}), }}");
    let start = MAGIC.len() + 4;
    let padded = (start + header.len() + 1).next_multiple_of(64) - start;
    header.extend(std::iter::repeat_n(' ', padded - 1 - header.len()));
    header.push('\n');
    let length = u16::try_from(padded).map_err(|_| std::io::Error::other("a shape of too many axes"))?;
    out.write_all(MAGIC)?;
    out.write_all(&[1, 0])?;
    out.write_all(&length.to_le_bytes())?;
    out.write_all(header.as_bytes())?;
    nonresc_ir::with_data!(tensor.data(),
        numbers => numbers.iter().try_for_each(|x| out.write_all(&x.to_le_bytes())),
        truths => truths.iter().try_for_each(|&b| out.write_all(&[u8::from(b)])))
}
