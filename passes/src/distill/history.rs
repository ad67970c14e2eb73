//! What is told of a training: a row an epoch, as JSON, as a table and as a picture.
//!
//! No clock and no machine: the same training is the same text. Numbers are rounded when a row is taken in, to so few
//! digits that they come back from JSON as they were.

use serde::{Deserialize, Serialize};

use super::recipe::Recipe;

/// The version of the JSON.
const VERSION: u32 = 1;

/// One epoch.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// Epochs that are over, this one included: 0 is the network as it was before the first step.
    pub epoch: usize,
    /// The rate of its last step.
    pub rate: f64,
    /// The mean loss of an image in it.
    pub loss: f64,
    /// Share of the training images that were right while they were trained on.
    pub training: f64,
    /// Share of the validation images that are right after it.
    pub validation: f64,
    /// Share of the test images that are right, of the epoch that was kept.
    pub test: Option<f64>,
    /// Images that were trained on since the beginning.
    pub images: u64,
    /// Labels of the skips that it was trained without.
    pub removed: Vec<String>,
    /// What else is to be said.
    pub notes: Vec<String>,
}

/// All epochs of a training.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    version: u32,
    recipe: Recipe,
    epochs: Vec<Row>,
}

impl History {
    /// A training before its first epoch.
    pub fn new(recipe: Recipe) -> History {
        History { version: VERSION, recipe, epochs: Vec::new() }
    }

    /// What is trained by.
    pub fn recipe(&self) -> &Recipe {
        &self.recipe
    }

    /// Says what share of the test images the network of an epoch is right about; rounded to 6 decimals.
    pub fn tested(&mut self, epoch: usize, share: f64) {
        for row in self.epochs.iter_mut().filter(|row| row.epoch == epoch) {
            row.test = Some((share * 1e6).round() / 1e6);
        }
    }

    /// The epochs in order.
    pub fn rows(&self) -> &[Row] {
        &self.epochs
    }

    /// Takes in an epoch, its rate rounded to 10 decimals and the other numbers to 6; what is no finite number
    /// becomes -1, which no share or rate is.
    pub fn push(&mut self, row: Row) {
        let rounded = |x: f64, unit: f64| if x.is_finite() { (x * unit).round() / unit } else { -1.0 };
        let share = |x| rounded(x, 1e6);
        self.epochs.push(Row {
            rate: rounded(row.rate, 1e10),
            loss: share(row.loss),
            training: share(row.training),
            validation: share(row.validation),
            test: row.test.map(share),
            ..row
        });
    }

    /// Version, recipe and epochs as indented JSON.
    ///
    /// # Panics
    /// Never: names and finite numbers are JSON.
    pub fn to_json(&self) -> String {
        let text = serde_json::to_string_pretty(self);
        text.expect("names and finite numbers are JSON") + "\n"
    }

    /// The history that [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    /// Text that is no history, or of another version.
    pub fn from_json(text: &str) -> Result<History, String> {
        let found: History = serde_json::from_str(text).map_err(|e| format!("it is no history: {e}"))?;
        if found.version != VERSION {
            return Err(format!("it is of version {}, and version {VERSION} is known", found.version));
        }
        Ok(found)
    }

    /// A table with a head, fields as RFC 4180 has them; lists are joined by `; `.
    pub fn to_csv(&self) -> String {
        let mut text = String::from("epoch,rate,loss,training,validation,test,images,removed,notes\n");
        for row in &self.epochs {
            let test = row.test.map_or(String::new(), |test| format!("{test:.6}"));
            text += &format!(
                "{},{:.10},{:.6},{:.6},{:.6},{test},{},{},{}\n",
                row.epoch,
                row.rate,
                row.loss,
                row.training,
                row.validation,
                row.images,
                quoted(&row.removed.join("; ")),
                quoted(&row.notes.join("; "))
            );
        }
        text
    }

    /// A picture of the accuracies over the epochs, skips that went as upright lines.
    pub fn svg(&self) -> String {
        self.svg_within("history")
    }

    /// The same for a page that holds several: the ids in it begin with `id`.
    pub fn svg_within(&self, id: &str) -> String {
        super::picture::svg(&self.epochs, id)
    }
}

/// A field of a table.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::{History, Row};
    use crate::distill::recipe::Recipe;
    use crate::distill::removals::Policy;

    fn history() -> History {
        let mut history = History::new(Recipe { policy: Policy::Tailor, ..Recipe::default() });
        for epoch in 0..3 {
            history.push(Row {
                epoch,
                rate: 0.1 / 3.0,
                loss: 2.0 / 3.0,
                training: 0.1 + 0.2,
                validation: 1.0 / 7.0,
                test: (epoch == 2).then_some(0.5),
                images: 50_000 * epoch as u64,
                removed: if epoch == 1 { vec!["1".into(), "2, the \"long\" one".into()] } else { vec![] },
                notes: vec![],
            });
        }
        history
    }

    #[test]
    fn json_comes_back_as_it_was() {
        let text = history().to_json();
        let read = History::from_json(&text).unwrap();
        assert_eq!(read, history());
        assert_eq!(read.to_json(), text);
        assert!(
            text.contains("\"policy\": \"tailor\"") && text.contains("\"validation\": 0.142857,"),
            "{text}"
        );
        assert!(text.contains("\"training\": 0.3,"), "{text}");
        assert!(
            History::from_json(&text.replace("\"version\": 1", "\"version\": 2")).unwrap_err().contains("2")
        );
        assert!(History::from_json("{}").unwrap_err().contains("no history"));
    }

    #[test]
    fn the_table_has_a_row_an_epoch() {
        let text = history().to_csv();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 4);
        assert_eq!(lines[1], "0,0.0333333333,0.666667,0.300000,0.142857,,0,,");
        assert_eq!(
            lines[2],
            "1,0.0333333333,0.666667,0.300000,0.142857,,50000,\"1; 2, the \"\"long\"\" one\","
        );
        assert!(lines[3].contains(",0.500000,100000,"));
    }

    #[test]
    fn numbers_that_are_none_do_not_stop_the_text() {
        let mut history = History::new(Recipe::default());
        history.push(Row { loss: f64::NAN, rate: f64::INFINITY, ..Row::default() });
        assert_eq!((history.rows()[0].loss, history.rows()[0].rate), (-1.0, -1.0));
        assert_eq!(History::from_json(&history.to_json()).unwrap(), history);
    }
}
