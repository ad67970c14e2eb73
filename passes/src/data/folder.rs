//! Folders of images: one folder a class, its name the class.

use std::fs;
use std::path::{Path, PathBuf};

use nonresc_ir::diagnostic::{Diagnostic, Diagnostics};

use super::Split;

/// How deep images may lie below the folder of their class.
const DEEPEST: usize = 8;

/// The images of a folder with their labels, and the names of the classes by label.
pub(super) struct Labelled {
    pub(super) files: Vec<PathBuf>,
    pub(super) labels: Vec<u32>,
    pub(super) classes: Vec<String>,
}

/// Entries of a folder in the order of their names, hidden ones left out.
pub(super) fn sorted(folder: &Path) -> Result<Vec<PathBuf>, Diagnostic> {
    let fault = |e: std::io::Error| {
        Diagnostic::new(
            "data/folder",
            format!("folder {}", folder.display()),
            e.to_string(),
            "name a folder that can be read",
        )
    };
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let path = entry.map_err(fault)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The folder in which the classes lie: `test` or `val`, or `train`, where the data set is split, else the folder
/// itself.
pub(super) fn split(split: Split, folder: &Path) -> PathBuf {
    let names: &[&str] = match split {
        Split::Test => &["test", "val"],
        Split::Training => &["train"],
    };
    let folders = names.iter().map(|name| folder.join(name));
    folders.into_iter().find(|split| split.is_dir()).unwrap_or_else(|| folder.to_path_buf())
}

/// The images below `folder`; `order` lists the classes by label where the sorted names are not meant.
///
/// The first images of all classes come first, then the second ones, and so on, so that a part from the
/// beginning holds all classes.
pub(super) fn labelled(folder: &Path, order: Option<Vec<String>>) -> Result<Labelled, Diagnostics> {
    let folders: Vec<PathBuf> = sorted(folder)?.into_iter().filter(|path| path.is_dir()).collect();
    let found: Vec<String> = folders.iter().map(|path| name(path)).collect();
    let classes = order.unwrap_or_else(|| found.clone());
    let mut faults = Diagnostics::default();
    let mut columns = Vec::new();
    for (path, name) in folders.iter().zip(&found) {
        let Some(label) = classes.iter().position(|class| class == name) else {
            faults.push(Diagnostic::new(
                "data/class",
                format!("folder {}", path.display()),
                "its name is no class of the file of --labels",
                "add its name to that file, or remove the folder",
            ));
            continue;
        };
        let mut images = Vec::new();
        collect(path, DEEPEST, &mut images)?;
        columns.push((label as u32, images));
    }
    faults.or(())?;
    let longest = columns.iter().map(|(_, images)| images.len()).max().unwrap_or(0);
    if longest == 0 {
        return Err(Diagnostic::new(
            "data/empty",
            format!("folder {}", folder.display()),
            "no PNG or JPEG image lies in a folder of its class below it",
            "give a folder with one folder of images a class, a CIFAR binary file, a .npz or a .npy",
        )
        .into());
    }
    let mut result = Labelled { files: Vec::new(), labels: Vec::new(), classes };
    for row in 0..longest {
        for (label, images) in &columns {
            if let Some(image) = images.get(row) {
                result.files.push(image.clone());
                result.labels.push(*label);
            }
        }
    }
    Ok(result)
}

/// Images below `folder`. Links to folders are not followed: they may lead around in circles.
fn collect(folder: &Path, deepest: usize, images: &mut Vec<PathBuf>) -> Result<(), Diagnostic> {
    for path in sorted(folder)? {
        if path.is_dir() {
            if deepest > 0 && !path.is_symlink() {
                collect(&path, deepest - 1, images)?;
            }
        } else if is_image(&path) {
            images.push(path);
        }
    }
    Ok(())
}

fn is_image(path: &Path) -> bool {
    let extension = path.extension().unwrap_or_default();
    ["png", "jpg", "jpeg"].iter().any(|known| extension.eq_ignore_ascii_case(known))
}

/// The classes that a file lists, one a line; the line's number from 0 is the label.
pub(super) fn class_list(path: &Path) -> Result<Vec<String>, Diagnostic> {
    let fault = |why: String| {
        Diagnostic::new(
            "data/labels",
            format!("class list {}", path.display()),
            why,
            "give a text file with the folder name of one class a line, in the order of the network's outputs",
        )
    };
    if !path.is_file() {
        return Err(fault("it is no regular file".into()));
    }
    let text = fs::read_to_string(path).map_err(|e| fault(e.to_string()))?;
    let classes: Vec<String> =
        text.lines().map(str::trim).filter(|l| !l.is_empty()).map(str::to_string).collect();
    let twice = classes.iter().enumerate().find(|(i, class)| classes[..*i].contains(class));
    match twice {
        Some((_, class)) => Err(fault(format!("class \"{class}\" is in it twice"))),
        None => Ok(classes),
    }
}
