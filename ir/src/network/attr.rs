//! Attributes of operators as text: what the text form prints and reads back.
//!
//! One line a type; which attributes an operator has is said in `op.rs`.

use super::types::{Element, Pair, Rounding, Sides};

/// An attribute that the text form can print and read.
pub(super) trait Attr: Sized {
    fn print(&self) -> String;
    fn parse(text: &str) -> Result<Self, String>;
}

macro_rules! attr_by_parse {
    ($($ty:ty: $what:literal),*) => {$(
        impl Attr for $ty {
            fn print(&self) -> String {
                self.to_string()
            }
            fn parse(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!(concat!("'{}' is no ", $what), text))
            }
        }
    )*};
}

attr_by_parse!(usize: "whole number", i64: "whole number", u8: "number from 0 to 255", bool: "truth value (true, false)", Element: "element type");

/// Shortest text that reads back to the same number.
impl Attr for f64 {
    fn print(&self) -> String {
        format!("{self:?}")
    }
    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("'{text}' is no number"))
    }
}

fn list<T: std::str::FromStr>(text: &str) -> Result<Vec<T>, String> {
    let inner = text
        .strip_prefix('[')
        .and_then(|t| t.strip_suffix(']'))
        .ok_or_else(|| format!("'{text}' is no list: lists are written [1,2,3]"))?;
    if inner.is_empty() {
        return Ok(Vec::new());
    }
    inner.split(',').map(|n| n.parse().map_err(|_| format!("'{n}' in '{text}' is no whole number"))).collect()
}

macro_rules! attr_list {
    ($($ty:ty),*) => {$(
        impl Attr for Vec<$ty> {
            fn print(&self) -> String {
                let items: Vec<String> = self.iter().map(ToString::to_string).collect();
                format!("[{}]", items.join(","))
            }
            fn parse(text: &str) -> Result<Self, String> {
                list(text)
            }
        }
    )*};
}

attr_list!(usize, i64);

impl Attr for Pair {
    fn print(&self) -> String {
        format!("{}x{}", self.h, self.w)
    }
    fn parse(text: &str) -> Result<Self, String> {
        let pair =
            text.split_once('x').and_then(|(h, w)| Some(Pair { h: h.parse().ok()?, w: w.parse().ok()? }));
        pair.ok_or_else(|| format!("'{text}' is no pair: height and width are written 3x3"))
    }
}

/// `[top,left,bottom,right]`.
impl Attr for Sides {
    fn print(&self) -> String {
        vec![self.top, self.left, self.bottom, self.right].print()
    }
    fn parse(text: &str) -> Result<Self, String> {
        match list(text)?[..] {
            [top, left, bottom, right] => Ok(Sides { top, left, bottom, right }),
            _ => Err(format!("'{text}' has not four sides [top,left,bottom,right]")),
        }
    }
}

impl Attr for Rounding {
    fn print(&self) -> String {
        let text = match self {
            Rounding::HalfEven => "half-even",
            Rounding::HalfUp => "half-up",
            Rounding::HalfDown => "half-down",
            Rounding::HalfAway => "half-away",
            Rounding::Floor => "floor",
            Rounding::Ceil => "ceil",
            Rounding::Up => "up",
            Rounding::Down => "down",
        };
        text.to_string()
    }
    fn parse(text: &str) -> Result<Self, String> {
        use Rounding::{Ceil, Down, Floor, HalfAway, HalfDown, HalfEven, HalfUp, Up};
        [HalfEven, HalfUp, HalfDown, HalfAway, Floor, Ceil, Up, Down]
            .into_iter()
            .find(|r| r.print() == text)
            .ok_or_else(|| format!("'{text}' is no rounding mode"))
    }
}
