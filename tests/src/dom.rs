//! A page as a browser leaves it: the elements of serialised HTML, by id, class and data.
//!
//! Reads what browsers and this project write: attributes in double quotes, every element closed but the void ones.

use std::collections::BTreeMap;

/// Elements that have no end.
const VOID: [&str; 6] = ["meta", "br", "hr", "img", "input", "link"];
/// Elements whose content is text, whatever it looks like.
const RAW: [&str; 3] = ["script", "style", "noscript"];

/// An element.
#[derive(Clone, Debug, Default)]
pub struct Element {
    /// Its tag.
    pub tag: String,
    /// Its attributes, entities resolved.
    pub attributes: BTreeMap<String, String>,
    /// All text in it.
    pub text: String,
    /// The place of the element that it is in.
    parent: Option<usize>,
}

impl Element {
    /// An attribute.
    ///
    /// # Panics
    /// Where it has none of this name.
    pub fn get(&self, name: &str) -> &str {
        let found = self.attributes.get(name);
        found.unwrap_or_else(|| panic!("no {name} of {} {:?}", self.tag, self.attributes))
    }

    /// An attribute as a whole number.
    ///
    /// # Panics
    /// Where it is none.
    pub fn number(&self, name: &str) -> u64 {
        self.get(name).parse().unwrap_or_else(|e| panic!("{name} of {:?}: {e}", self.attributes))
    }

    /// Whether it has an attribute.
    pub fn has(&self, name: &str) -> bool {
        self.attributes.contains_key(name)
    }

    /// Whether it is of a class.
    pub fn is(&self, class: &str) -> bool {
        self.attributes.get("class").is_some_and(|all| all.split(' ').any(|one| one == class))
    }
}

/// All elements of a page in their order.
#[derive(Debug)]
pub struct Dom(pub Vec<Element>);

impl Dom {
    /// The elements of a page.
    ///
    /// # Panics
    /// Where a tag does not end, or the end of an element is not that of the one that is open.
    pub fn parse(page: &str) -> Dom {
        let mut dom = Dom(Vec::new());
        let mut open: Vec<usize> = Vec::new();
        let mut rest = page;
        while let Some(at) = rest.find('<') {
            dom.say(&open, &resolved(&rest[..at]));
            rest = &rest[at + 1..];
            if let Some(comment) = rest.strip_prefix("!--") {
                rest = comment.split_once("-->").expect("a comment ends").1;
            } else if rest.starts_with('!') {
                rest = rest.split_once('>').expect("a declaration ends").1;
            } else if let Some(end) = rest.strip_prefix('/') {
                let (tag, behind) = end.split_once('>').expect("a tag ends");
                let last = open.pop().map(|i| dom.0[i].tag.clone());
                assert_eq!(
                    last.as_deref(),
                    Some(tag.trim()),
                    "in front of {:?}",
                    &behind[..behind.len().min(80)]
                );
                rest = behind;
            } else {
                rest = dom.tag(&mut open, rest);
            }
        }
        assert!(open.is_empty(), "elements are left open");
        dom
    }

    /// Adds text to all that are open.
    fn say(&mut self, open: &[usize], text: &str) {
        for &i in open {
            self.0[i].text.push_str(text);
        }
    }

    /// Takes in a tag, and the content of an element of raw text; returns what is behind.
    fn tag<'a>(&mut self, open: &mut Vec<usize>, text: &'a str) -> &'a str {
        let end = text.find(|c: char| c.is_whitespace() || c == '>' || c == '/').expect("a tag ends");
        let mut element =
            Element { tag: text[..end].to_string(), parent: open.last().copied(), ..Element::default() };
        let mut rest = text[end..].trim_start();
        while !rest.starts_with('>') && !rest.starts_with("/>") {
            let end = rest.find(|c: char| c.is_whitespace() || "=>".contains(c)).expect("an attribute ends");
            let (name, behind) = rest.split_at(end);
            let (value, behind) = match behind.strip_prefix("=\"") {
                Some(value) => value.split_once('"').expect("a value ends"),
                None => ("", behind),
            };
            element.attributes.insert(name.to_string(), resolved(value));
            rest = behind.trim_start();
        }
        let closed = rest.starts_with('/');
        rest = rest.split_once('>').expect("a tag ends").1;
        let (tag, place) = (element.tag.clone(), self.0.len());
        self.0.push(element);
        if RAW.contains(&tag.as_str()) {
            let (content, behind) = rest.split_once(&format!("</{tag}>")).expect("its content ends");
            self.0[place].text = content.to_string();
            return behind;
        }
        if !closed && !VOID.contains(&tag.as_str()) {
            open.push(place);
        }
        rest
    }

    /// The element with this id.
    ///
    /// # Panics
    /// Where there is none, or several.
    pub fn by_id(&self, id: &str) -> usize {
        let has = |i: &usize| self.0[*i].attributes.get("id").is_some_and(|own| own == id);
        let found: Vec<usize> = (0..self.0.len()).filter(has).collect();
        assert_eq!(found.len(), 1, "elements with the id {id}");
        found[0]
    }

    /// The elements within another one.
    pub fn within(&self, place: usize) -> impl Iterator<Item = &Element> {
        let inside = move |i: usize| {
            std::iter::successors(self.0[i].parent, |&p| self.0[p].parent).any(|parent| parent == place)
        };
        (place + 1..self.0.len()).filter(move |&i| inside(i)).map(|i| &self.0[i])
    }

    /// The elements within the one with an id that have an attribute.
    pub fn with(&self, id: &str, attribute: &str) -> Vec<&Element> {
        self.within(self.by_id(id)).filter(|element| element.has(attribute)).collect()
    }

    /// The rows of a table's body, as data where a cell has some, else as text, by the fields of the columns.
    pub fn table(&self, id: &str) -> Vec<BTreeMap<String, String>> {
        let (mut fields, mut rows) = (Vec::new(), Vec::new());
        let mut row: Vec<String> = Vec::new();
        for element in self.within(self.by_id(id)) {
            match element.tag.as_str() {
                "tr" => rows.push(std::mem::take(&mut row)),
                "th" if element.has("data-field") => fields.push(element.get("data-field").to_string()),
                "th" | "td" => {
                    row.push(element.attributes.get("data-v").unwrap_or(&element.text).clone());
                }
                _ => {}
            }
        }
        rows.push(row);
        // The first is what was before any row, the second that of the head.
        let body = rows.into_iter().filter(|row| !row.is_empty());
        body.map(|row| fields.iter().cloned().zip(row).collect()).collect()
    }
}

/// Text with its entities as characters.
fn resolved(text: &str) -> String {
    let known = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&nbsp;", "\u{a0}"),
        ("&amp;", "&"),
    ];
    known.iter().fold(text.to_string(), |text, (entity, character)| text.replace(entity, character))
}
