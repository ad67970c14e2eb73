//! The flags of every command that reads images.

use std::path::PathBuf;

use clap::Args;

use super::Extents;
use super::values::square;

/// How images are read and fitted to the network.
#[derive(Clone, Debug, Args)]
pub struct Images {
    /// For a folder of images: a text file whose line i is the folder name of class i. For a .npy: the .npy of
    /// its labels
    #[arg(long, value_name = "FILE")]
    pub labels: Option<PathBuf>,

    /// Resize images so that their shorter side has N pixels, or to H x W
    #[arg(long, value_name = "N|HxW", value_parser = square)]
    pub resize: Option<Extents>,

    /// Then cut N x N or H x W pixels out of the middle
    #[arg(long, value_name = "N|HxW", value_parser = square)]
    pub crop: Option<Extents>,
}
