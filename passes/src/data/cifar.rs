//! The binary files of CIFAR-10 and CIFAR-100: records of one or two label bytes and 3 x 32 x 32 pixels, colour
//! plane by colour plane, rows from the top (<https://www.cs.toronto.edu/~kriz/cifar.html>).

use std::path::{Path, PathBuf};

use super::Split;

/// Bytes of an image: three planes of 32 x 32.
pub(super) const PIXELS: usize = 3 * SIDE * SIDE;
/// Rows and columns of an image.
pub(super) const SIDE: usize = 32;

/// Names of the classes of CIFAR-10, by label.
const CLASSES: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

/// Which of the two sets a file belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One label byte, ten classes.
    Ten,
    /// A byte for the group, which is not used, and one for the class.
    Hundred,
}

impl Kind {
    /// The kind of a file of that length, CIFAR-10 where both fit; nothing where neither does.
    pub(super) fn of(bytes: usize) -> Option<Kind> {
        [Kind::Ten, Kind::Hundred].into_iter().find(|kind| bytes > 0 && bytes.is_multiple_of(kind.record()))
    }

    /// Label bytes of a record, the last of which is the class.
    pub(super) fn label_bytes(self) -> usize {
        match self {
            Kind::Ten => 1,
            Kind::Hundred => 2,
        }
    }

    /// Bytes of a record.
    pub(super) fn record(self) -> usize {
        self.label_bytes() + PIXELS
    }

    /// Names of the classes, where the format fixes them.
    pub(super) fn classes(self) -> Vec<String> {
        match self {
            Kind::Ten => CLASSES.map(str::to_string).to_vec(),
            Kind::Hundred => Vec::new(),
        }
    }
}

/// What the authors of the data sets call the files of a part.
fn named(split: Split) -> [&'static str; 2] {
    match split {
        Split::Test => ["test_batch.bin", "test.bin"],
        Split::Training => ["data_batch_1.bin", "train.bin"],
    }
}

/// The names that are looked for, for people.
pub(super) fn names(split: Split) -> String {
    named(split).join(" or ")
}

/// The file of a part among the files of a folder: as the data sets' authors call it, else the only binary file whose
/// name begins like theirs.
pub(super) fn file_of(split: Split, files: &[PathBuf]) -> Option<&PathBuf> {
    let known = named(split);
    let find = |name: &str| files.iter().find(|path| path.file_name().is_some_and(|n| n == name));
    known.into_iter().find_map(find).or_else(|| {
        let beginning = known[1].trim_end_matches(".bin");
        let begins = |path: &&PathBuf| {
            path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(beginning)) && is_binary(path)
        };
        let mut found = files.iter().filter(begins);
        found.next().filter(|_| found.next().is_none())
    })
}

/// All files of the training part among the files of a folder, in their order.
pub(super) fn training_files(files: &[PathBuf]) -> Vec<&PathBuf> {
    let beginnings = ["data_batch_", "train"];
    let is_part = |path: &&PathBuf| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        is_binary(path) && beginnings.iter().any(|beginning| name.starts_with(beginning))
    };
    files.iter().filter(is_part).collect()
}

/// Whether a path looks like a binary file.
pub(super) fn is_binary(path: &Path) -> bool {
    path.extension().is_some_and(|e| e.eq_ignore_ascii_case("bin"))
}
