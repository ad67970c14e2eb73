//! Readers of labelled images: what they give, and that damaged files are refused with their name and no more
//! memory than they have bytes.
//!
//! Arrays are written and read back by a crate that is not part of the compiler.

use std::fs;
use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::Diagnostics;
use nonresc_ir::network::{Element, Shape};
use nonresc_ir::tensor::{Data, Tensor};
use nonresc_passes::data::{Dataset, Fit, Request, Size, arrays};
use nonresc_tests::allocation::most_held;
use npyz::WriterBuilder as _;

/// A `.npy` file of a header's text and bytes behind it.
fn npy(header: &str, numbers: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(numbers);
    bytes
}

fn header(ty: &str, by_column: &str, shape: &str) -> String {
    format!("{{'descr': '{ty}', 'fortran_order': {by_column}, 'shape': {shape}, }}\n")
}

fn file(home: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = home.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, bytes).unwrap();
    path
}

/// The one array of a `.npy` file of these bytes, or why there is none.
fn read(bytes: &[u8]) -> Result<Tensor, String> {
    let home = tempfile::tempdir().unwrap();
    let path = file(home.path(), "x.npy", bytes);
    let array = arrays::read(&path).map(|mut arrays| arrays.remove(arrays::ALONE).unwrap());
    array.map_err(|fault| {
        assert!(fault.what.contains("x.npy") && !fault.remedy.is_empty(), "{fault}");
        fault.why
    })
}

fn foreign<T: npyz::AutoSerialize>(numbers: &[T], order: npyz::Order) -> Vec<u8> {
    let mut bytes = Vec::new();
    let options = npyz::WriteOptions::new().default_dtype().shape(&[2, 3]).order(order);
    let mut writer = options.writer(&mut bytes).begin_nd().unwrap();
    writer.extend(numbers).unwrap();
    writer.finish().unwrap();
    bytes
}

/// One tensor of every kind of number, of shape 2 x 3.
fn every_kind() -> Vec<Tensor> {
    let int = |bits, signed| Element::Int { bits, signed };
    let shape = [2, 3];
    let tensor = |element, data| Tensor::new(element, shape, data).unwrap();
    let half = |x| half::f16::from_f32(x);
    vec![
        tensor(Element::F16, Data::F16([0.5, -1.0, 2.0, 3.0, 4.0, 65504.0].map(half).to_vec())),
        tensor(Element::F32, Data::F32(vec![0.5, -1.0, f32::MIN, f32::MAX, 4.0, 1e-40])),
        tensor(Element::F64, Data::F64(vec![0.5, -1.0, f64::MIN, f64::MAX, 4.0, 1e-310])),
        tensor(int(8, true), Data::I8(vec![0, 1, -1, i8::MIN, i8::MAX, 7])),
        tensor(int(8, false), Data::U8(vec![0, 1, 2, 128, u8::MAX, 7])),
        tensor(int(16, true), Data::I16(vec![0, 1, -1, i16::MIN, i16::MAX, 7])),
        tensor(int(16, false), Data::U16(vec![0, 1, 2, 256, u16::MAX, 7])),
        tensor(int(32, true), Data::I32(vec![0, 1, -1, i32::MIN, i32::MAX, 7])),
        tensor(int(32, false), Data::U32(vec![0, 1, 2, 65536, u32::MAX, 7])),
        tensor(int(64, true), Data::I64(vec![0, 1, -1, i64::MIN, i64::MAX, 7])),
        tensor(int(64, false), Data::U64(vec![0, 1, 2, 1 << 40, u64::MAX, 7])),
        tensor(Element::Bool, Data::Bool(vec![true, false, true, true, false, false])),
    ]
}

#[test]
fn arrays_written_elsewhere_are_read() {
    for tensor in every_kind() {
        let bytes = nonresc_ir::with_data!(tensor.data(),
            numbers => foreign(numbers, npyz::Order::C),
            truths => foreign(truths, npyz::Order::C));
        assert_eq!(read(&bytes).unwrap(), tensor);
    }
}

#[test]
fn arrays_written_here_are_read_elsewhere_and_begin_at_a_multiple_of_64_bytes() {
    macro_rules! check {
        ($tensor:expr, $($kind:ident $ty:ty),*) => {
            match $tensor.data() {
                $( Data::$kind(numbers) => {
                    let bytes = arrays::npy_bytes(&$tensor).unwrap();
                    assert_eq!((bytes.len() - size_of_val(&numbers[..])) % 64, 0);
                    let file = npyz::NpyFile::new(&bytes[..]).unwrap();
                    assert_eq!(file.shape(), [2, 3]);
                    assert_eq!(&file.into_vec::<$ty>().unwrap(), numbers);
                } )*
            }
        };
    }
    for tensor in every_kind() {
        check!(tensor, F16 half::f16, F32 f32, F64 f64, I8 i8, U8 u8, I16 i16, U16 u16, I32 i32, U32 u32,
               I64 i64, U64 u64, Bool bool);
    }
}

#[test]
fn archives_are_read_back_and_are_the_same_bytes_each_time() {
    let given: Vec<(String, Tensor)> =
        every_kind().into_iter().enumerate().map(|(i, tensor)| (format!("layer/{i}"), tensor)).collect();
    let bytes = arrays::npz_bytes(&given).unwrap();
    assert!(arrays::npz_bytes(&given).unwrap() == bytes);
    let home = tempfile::tempdir().unwrap();
    let found = arrays::read(&file(home.path(), "x.npz", &bytes)).unwrap();
    assert_eq!(found, given.into_iter().collect());
    let twice = Tensor::i64s(vec![1]);
    assert!(arrays::npz_bytes(&[("a".into(), twice.clone()), ("a".into(), twice)]).is_err());
}

#[test]
fn order_of_bytes_and_of_axes_is_the_headers() {
    let shape = Shape(vec![2, 3]);
    let rows =
        Tensor::new(Element::Int { bits: 16, signed: false }, shape, Data::U16(vec![1, 2, 3, 4, 5, 6]));
    let big: Vec<u8> = (1..=6u16).flat_map(u16::to_be_bytes).collect();
    assert_eq!(read(&npy(&header(">u2", "False", "(2, 3)"), &big)).ok(), rows);
    let columns: Vec<u8> = [1u16, 4, 2, 5, 3, 6].into_iter().flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&npy(&header("<u2", "True", "(2, 3)"), &columns)).ok(), rows);
    let scalar = read(&npy(&header("|u1", "False", "()"), &[9])).unwrap();
    assert_eq!((scalar.shape().rank(), scalar.data()), (0, &Data::U8(vec![9])));
    let old = read(&npy("{\"shape\":(2L,),\"fortran_order\":False,\"descr\":\"|u1\"}", &[8, 9])).unwrap();
    assert_eq!((old.shape(), old.data()), (&Shape(vec![2]), &Data::U8(vec![8, 9])));
    let empty = read(&npy(&header("<f4", "False", "(0, 3)"), &[])).unwrap();
    assert_eq!(*empty.shape(), Shape(vec![0, 3]));
}

#[test]
fn claims_beyond_the_file_are_refused_and_cost_nothing() {
    for (shape, says) in [
        ("(1000000000000,)", "claims 1000000000000 numbers of 4 bytes, and"),
        ("(4294967296, 4294967296, 4294967296)", "claims"),
        ("(99999999999999999999999,)", "header"),
        ("(3,)", "ends before its 3 numbers do"),
        ("(1,)", "behind its last number"),
    ] {
        let bytes = npy(&header("<f4", "False", shape), &[0; 8]);
        let (why, most) = most_held(|| read(&bytes).unwrap_err());
        assert!(why.contains(says), "{shape}: {why}");
        assert!(most < 1 << 18, "{shape}: {most} bytes");
    }
    let long = [b"\x93NUMPY\x02\x00\xff\xff\xff\xff".as_slice(), &[b' '; 100]].concat();
    let (why, most) = most_held(|| read(&long).unwrap_err());
    assert!(why.contains("4294967295 bytes") && most < 1 << 18, "{why}, {most} bytes");
}

#[test]
fn what_is_no_array_of_numbers_says_so() {
    for (bytes, says) in [
        (vec![], "ends within its header"),
        (b"PNG, not NUMPY".to_vec(), "does not begin as a .npy array"),
        (b"\x93NUMPY\x09\x00\x00\x00".to_vec(), "version 9"),
        (npy(&header("<c8", "False", "(1,)"), &[0; 8]), "c8"),
        (npy(&header("<U4", "False", "(1,)"), &[0; 4]), "U4"),
        (npy(&header("|O", "False", "(1,)"), &[]), "'descr': '|O'"),
        (npy(&header("<f4", "Maybe", "(1,)"), &[0; 4]), "Maybe"),
        (npy(&header("<f4", "False", "(-1,)"), &[0; 4]), "-1"),
        (npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", &[0; 4]), "[('a'"),
        (npy("{'descr': '<f4', 'shape': (1,)}", &[0; 4]), "'shape'"),
    ] {
        let why = read(&bytes).unwrap_err();
        assert!(why.contains(says), "{says}: {why}");
    }
}

/// Every cut and every changed byte of the header gives an array or a reason, never a panic.
#[test]
fn damaged_arrays_are_never_read_past_their_end() {
    let whole = npy(&header("<f4", "False", "(2, 3)"), &[1; 24]);
    assert!(read(&whole).is_ok());
    for end in 0..whole.len() {
        read(&whole[..end]).expect_err("a part is no array");
    }
    for place in 0..whole.len() - 24 {
        for byte in [0, b'9', b'\'', b'(', 0xff] {
            let mut damaged = whole.clone();
            damaged[place] = byte;
            if let Ok(tensor) = read(&damaged) {
                assert!(tensor.len() <= 24, "byte {place}");
            }
        }
    }
}

fn zipped(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

#[test]
fn archives_that_expand_without_end_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let numbers = vec![0u8; 300 << 20];
    let bomb = npy(&header("|u1", "False", "(314572800,)"), &numbers);
    let path = file(home.path(), "bomb.npz", &zipped(&[("x.npy", &bomb)]));
    drop((numbers, bomb));
    assert!(fs::metadata(&path).unwrap().len() < 1 << 20);
    let (fault, most) = most_held(|| arrays::read(&path).unwrap_err());
    assert!(fault.why.contains("64 times the file's own"), "{fault}");
    assert!(most < 1 << 20, "{most} bytes");
}

#[test]
fn damaged_archives_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let array = npy(&header("|u1", "False", "(3,)"), &[1, 2, 3]);
    let whole = zipped(&[("x.npy", &array), ("y.npy", &array)]);
    let read = |name: &str, bytes: &[u8]| arrays::read(&file(home.path(), name, bytes));
    assert_eq!(read("whole.npz", &whole).unwrap().len(), 2);
    for end in 0..whole.len() {
        let fault = read("cut.npz", &whole[..end]).expect_err("a part is no archive");
        assert!(fault.what.contains("cut.npz"), "{fault}");
    }
    for place in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[place] ^= 0x55;
        // A changed name or date is no fault; whatever it is, it must end.
        let _ = read("changed.npz", &damaged);
    }
    let fault = read("other.npz", &zipped(&[("readme.txt", b"no array")])).unwrap_err();
    assert!(fault.why.contains("\"readme.txt\" in it is no .npy array"), "{fault}");
    let fault = read("short.npz", &zipped(&[("x.npy", &array[..array.len() - 1])])).unwrap_err();
    assert!(fault.why.starts_with("array \"x\": it ends before its 3 numbers do"), "{fault}");
}

#[test]
fn only_files_are_read() {
    let home = tempfile::tempdir().unwrap();
    assert!(arrays::read(home.path()).unwrap_err().why.contains("no regular file"));
    assert!(arrays::read(&home.path().join("missing.npz")).unwrap_err().why.contains("No such file"));
    #[cfg(unix)]
    assert!(arrays::read(Path::new("/dev/zero")).unwrap_err().why.contains("no regular file"));
}

/// CIFAR records whose pixels count up from the record's number.
fn cifar(label_bytes: usize, labels: &[u8]) -> Vec<u8> {
    let record = |(i, &label): (usize, &u8)| {
        let mut bytes = vec![99; label_bytes - 1];
        bytes.push(label);
        bytes.extend((0..3072).map(|p| (i + p) as u8));
        bytes
    };
    labels.iter().enumerate().flat_map(record).collect()
}

fn open(path: &Path, frame: [usize; 3]) -> Result<Dataset, Diagnostics> {
    Dataset::open(&Request { path: path.to_path_buf(), ..Request::default() }, frame)
}

fn why(result: Result<Dataset, Diagnostics>) -> String {
    result.expect_err("must be refused").to_string()
}

fn bytes(data: &Dataset, range: std::ops::Range<usize>) -> Vec<u8> {
    let Data::U8(bytes) = data.frames(range).unwrap().data().clone() else { panic!("pixels are bytes") };
    bytes
}

const CIFAR: [usize; 3] = [3, 32, 32];

#[test]
fn cifar_records_keep_their_planes() {
    let home = tempfile::tempdir().unwrap();
    for (label_bytes, names) in [(1, 10), (2, 0)] {
        let path = file(home.path(), "some.bin", &cifar(label_bytes, &[7, 0, 9, 3]));
        let data = open(&path, CIFAR).unwrap();
        assert_eq!((data.len(), data.labels(), data.classes().len()), (4, &[7, 0, 9, 3][..], names));
        assert_eq!(*data.frames(1..3).unwrap().shape(), Shape(vec![2, 3, 32, 32]));
        let expected: Vec<u8> = [2, 3].iter().flat_map(|i| (0..3072).map(move |p| (i + p) as u8)).collect();
        assert_eq!(bytes(&data, 2..4), expected);
        let request = Request { path, limit: Some(2), ..Request::default() };
        assert_eq!(Dataset::open(&request, CIFAR).unwrap().labels(), [7, 0]);
    }
}

#[test]
fn the_test_file_of_a_folder_is_used() {
    let home = tempfile::tempdir().unwrap();
    file(home.path(), "data_batch_1.bin", &cifar(1, &[1, 1, 1]));
    let refused = why(open(home.path(), CIFAR));
    assert!(refused.contains("data_batch_1.bin") && refused.contains("no test_batch.bin"), "{refused}");
    file(home.path(), "test_512.bin", &cifar(1, &[2, 2]));
    assert_eq!(open(home.path(), CIFAR).unwrap().labels(), [2, 2]);
    file(home.path(), "test_batch.bin", &cifar(1, &[5]));
    assert_eq!(open(home.path(), CIFAR).unwrap().labels(), [5]);
}

#[test]
fn files_of_no_known_kind_are_refused() {
    let home = tempfile::tempdir().unwrap();
    for (name, bytes) in [("cut.bin", &cifar(1, &[1])[1..]), ("empty.bin", &[]), ("photo.gif", b"GIF89a")] {
        let refused = why(open(&file(home.path(), name, bytes), CIFAR));
        assert!(refused.contains(name) && refused.contains("3073 or 3074 bytes"), "{refused}");
    }
    let refused = why(open(&home.path().join("nowhere"), CIFAR));
    assert!(refused.contains("nowhere") && refused.contains("No such file"), "{refused}");
}

#[test]
fn arrays_are_images_in_either_layout() {
    let home = tempfile::tempdir().unwrap();
    // 2 images of 3 channels, 1 row, 2 columns.
    let images =
        |shape: [usize; 4], all: &[u8]| Tensor::new(Element::U8, shape, Data::U8(all.to_vec())).unwrap();
    let first = images([2, 3, 1, 2], &[0, 1, 10, 11, 20, 21, 100, 101, 110, 111, 120, 121]);
    let last = images([2, 1, 2, 3], &[0, 10, 20, 1, 11, 21, 100, 110, 120, 101, 111, 121]);
    let labels = |all: &[i64]| Tensor::i64s(all.to_vec());
    for images in [&first, &last] {
        let npz = arrays::npz_bytes(&[("x".into(), images.clone()), ("y".into(), labels(&[4, 2]))]).unwrap();
        let data = open(&file(home.path(), "set.npz", &npz), [3, 1, 2]).unwrap();
        assert_eq!(data.labels(), [4, 2]);
        assert_eq!(data.frames(0..2).unwrap(), first);
        assert_eq!(bytes(&data, 1..2), [100, 101, 110, 111, 120, 121]);
    }
    let path = file(home.path(), "x.npy", &arrays::npy_bytes(&last).unwrap());
    let beside = file(home.path(), "y.npy", &arrays::npy_bytes(&labels(&[1, 0])).unwrap());
    let request = Request { path: path.clone(), labels: Some(beside), ..Request::default() };
    assert_eq!(Dataset::open(&request, [3, 1, 2]).unwrap().labels(), [1, 0]);

    let refused = why(open(&path, [3, 1, 2]));
    assert!(refused.contains("it holds the arrays input") && refused.contains("--labels"), "{refused}");
    let three = file(home.path(), "three.npy", &arrays::npy_bytes(&labels(&[1, 0, 1])).unwrap());
    let request = Request { path: path.clone(), labels: Some(three), ..Request::default() };
    let refused = why(Dataset::open(&request, [3, 1, 2]));
    assert!(refused.contains("i64 of shape 3") && refused.contains("give 2 whole numbers"), "{refused}");
    let request = Request { path, fit: Fit { crop: Some((1, 1)), ..Fit::default() }, ..Request::default() };
    assert!(why(Dataset::open(&request, [3, 1, 1])).contains("not resized"));
    let npz = arrays::npz_bytes(&[("x".into(), first), ("y".into(), labels(&[4, 2]))]).unwrap();
    let refused = why(open(&file(home.path(), "set.npz", &npz), CIFAR));
    assert!(refused.contains("2x3x1x2") && refused.contains("N x 32 x 32 x 3"), "{refused}");
}

/// An image whose pixel in row r and column c is `(10 r, 10 c, b)`.
fn picture(height: u32, width: u32, b: u8) -> image::RgbImage {
    image::RgbImage::from_fn(width, height, |c, r| image::Rgb([10 * r as u8, 10 * c as u8, b]))
}

fn save(home: &Path, name: &str, picture: &image::RgbImage) {
    let path = home.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
}

#[test]
fn folders_of_images_are_classes_in_the_order_of_their_names() {
    let home = tempfile::tempdir().unwrap();
    for (name, b) in [("dog/2.png", 3), ("dog/1.png", 2), ("cat/9.png", 1), ("ant/deep/7.PNG", 0)] {
        save(home.path(), name, &picture(2, 3, b));
    }
    file(home.path(), "dog/notes.txt", b"no image");
    let data = open(home.path(), [3, 2, 3]).unwrap();
    assert_eq!(data.classes(), ["ant", "cat", "dog"]);
    assert_eq!(data.labels(), [0, 1, 2, 2], "the first image of every class comes first");
    let planes = |b: u8| [&[0, 0, 0, 10, 10, 10][..], &[0, 10, 20, 0, 10, 20], &[b; 6]].concat();
    assert_eq!(bytes(&data, 0..2), [planes(0), planes(1)].concat());
    assert_eq!(bytes(&data, 2..4), [planes(2), planes(3)].concat());

    let classes = file(home.path(), "classes.txt", b"dog\ncat\n\nant\n");
    let request = Request { path: home.path().into(), labels: Some(classes), ..Request::default() };
    assert_eq!(Dataset::open(&request, [3, 2, 3]).unwrap().labels(), [2, 1, 0, 0]);
    let few = file(home.path(), "few.txt", b"cat\n");
    let request = Request { labels: Some(few), ..request };
    let refused = why(Dataset::open(&request, [3, 2, 3]));
    assert!(refused.contains("dog") && refused.contains("ant"), "all faults at once: {refused}");
    let twice = file(home.path(), "twice.txt", b"cat\ncat\n");
    let request = Request { labels: Some(twice), ..request };
    assert!(why(Dataset::open(&request, [3, 2, 3])).contains("\"cat\" is in it twice"));

    save(home.path(), "test/ant/1.png", &picture(2, 3, 0));
    let data = open(home.path(), [3, 2, 3]).unwrap();
    assert_eq!(
        (data.len(), data.source()),
        (1, home.path().join("test").as_path()),
        "the test split is meant"
    );
}

#[test]
fn images_are_fitted_to_the_network() {
    let home = tempfile::tempdir().unwrap();
    save(home.path(), "a/1.png", &picture(6, 8, 50));
    let fitted = |fit: Fit, frame: [usize; 3]| {
        let request = Request { path: home.path().into(), fit, ..Request::default() };
        Dataset::open(&request, frame).unwrap().frames(0..1)
    };
    let crop = Fit { crop: Some((2, 3)), ..Fit::default() };
    let Data::U8(cut) = fitted(crop, [3, 2, 3]).unwrap().data().clone() else { panic!("bytes") };
    // Rows 2 and 3 of six; of eight columns (8 - 3) / 2 = 2.5 is cut to the even 2.
    assert_eq!(cut, [&[20, 20, 20, 30, 30, 30][..], &[20, 30, 40, 20, 30, 40], &[50; 6]].concat());
    let half = Fit { resize: Some(Size::ShorterSide(3)), ..Fit::default() };
    let Data::U8(small) = fitted(half, [3, 3, 4]).unwrap().data().clone() else { panic!("bytes") };
    // In the middle a triangle of twice the width weighs four pixels by (1 3 3 1) / 8: here 10 to 40.
    assert_eq!((small[4], small[12 + 5], small[30]), (25, 25, 50));
    let exact = Fit { resize: Some(Size::Exactly(2, 2)), ..Fit::default() };
    assert_eq!(*fitted(exact, [3, 2, 2]).unwrap().shape(), Shape(vec![1, 3, 2, 2]));
    let grey = fitted(Fit::default(), [1, 6, 8]).unwrap();
    assert_eq!(*grey.shape(), Shape(vec![1, 1, 6, 8]));

    let refused = |fit: Fit, frame: [usize; 3]| fitted(fit, frame).unwrap_err().to_string();
    assert!(refused(Fit::default(), CIFAR).contains("it is 6 x 8 pixels, and the network reads 32 x 32"));
    assert!(refused(Fit { crop: Some((7, 7)), ..Fit::default() }, CIFAR).contains("smaller than the crop"));
    assert!(
        refused(Fit { resize: Some(Size::ShorterSide(1 << 20)), ..half }, CIFAR).contains("are the most")
    );
    assert!(refused(Fit::default(), [2, 6, 8]).contains("2 channels"));
}

#[test]
fn jpeg_is_read_and_damaged_images_are_named() {
    let home = tempfile::tempdir().unwrap();
    let plain = image::RgbImage::from_pixel(16, 16, image::Rgb([200, 100, 50]));
    save(home.path(), "a/1.jpg", &plain);
    let data = open(home.path(), [3, 16, 16]).unwrap();
    let pixels = bytes(&data, 0..1);
    for (channel, wanted) in [200u8, 100, 50].into_iter().enumerate() {
        let plane = &pixels[channel * 256..][..256];
        assert!(plane.iter().all(|p| p.abs_diff(wanted) <= 3), "channel {channel}: {:?}", &plane[..4]);
    }
    let whole = fs::read(home.path().join("a/1.jpg")).unwrap();
    file(home.path(), "a/2.jpg", &whole[..40]);
    file(home.path(), "a/3.png", b"\x89PNG\r\n\x1a\n");
    let faults = open(home.path(), [3, 16, 16]).unwrap().frames(0..3).unwrap_err();
    assert_eq!(faults.len(), 2, "{faults}");
    assert!(faults.to_string().contains("2.jpg") && faults.to_string().contains("3.png"), "{faults}");
}

#[test]
fn a_folder_without_images_is_refused() {
    let home = tempfile::tempdir().unwrap();
    file(home.path(), "a/readme.txt", b"");
    assert!(why(open(home.path(), CIFAR)).contains("no PNG or JPEG image"));
}
