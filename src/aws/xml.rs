//! The XML that EC2 and Elastic Load Balancing answer with: elements and their text. Attributes, of which the services
//! use none but the namespace, are left out.

use xmlparser::{ElementEnd, Token, Tokenizer};

/// Deeper than any answer that is read here.
const MOST_LEVELS: usize = 32;

/// An element: text, or elements.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Element {
    name: String,
    text: String,
    children: Vec<Element>,
}

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(super) enum XmlError {
    #[error("not XML: {0}")]
    Syntax(#[from] xmlparser::Error),
    #[error("not XML: an element is not closed where it has to be")]
    Unbalanced,
    #[error("not XML: an unknown reference &{0};")]
    Reference(String),
    /// Entities of one's own are what makes XML dangerous, and no service of AWS sends any.
    #[error("XML with a document type")]
    Doctype,
    #[error("XML with more than {MOST_LEVELS} levels")]
    TooDeep,
}

impl Element {
    /// The document's outermost element.
    pub(super) fn parse(document: &str) -> Result<Self, XmlError> {
        let mut open: Vec<Self> = Vec::new();
        let mut root = None;
        for token in Tokenizer::from(document) {
            match token? {
                Token::ElementStart { .. } if open.len() == MOST_LEVELS => return Err(XmlError::TooDeep),
                Token::ElementStart { local, .. } => {
                    open.push(Self { name: local.as_str().to_owned(), ..Self::default() });
                }
                Token::ElementEnd { end: ElementEnd::Open, .. } => {}
                Token::ElementEnd { end, .. } => {
                    let closed = open.pop().ok_or(XmlError::Unbalanced)?;
                    if matches!(end, ElementEnd::Close(_, local) if local.as_str() != closed.name) {
                        return Err(XmlError::Unbalanced);
                    }
                    match open.last_mut() {
                        Some(parent) => parent.children.push(closed),
                        None => root = Some(closed),
                    }
                }
                Token::Text { text } => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(&resolve(text.as_str())?);
                    }
                }
                Token::Cdata { text, .. } => {
                    if let Some(element) = open.last_mut() {
                        element.text.push_str(text.as_str());
                    }
                }
                Token::DtdStart { .. } | Token::EmptyDtd { .. } => return Err(XmlError::Doctype),
                _ => {}
            }
        }
        root.filter(|_| open.is_empty()).ok_or(XmlError::Unbalanced)
    }

    /// The first element of a name that is directly within this one.
    pub(super) fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first element of a name that is directly within this one, unless it is empty.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.child(name).map(Self::own_text).filter(|text| !text.is_empty())
    }

    /// This element's own text.
    pub(super) fn own_text(&self) -> &str {
        self.text.trim()
    }

    /// The items of a list: `<name><item>…</item><item>…</item></name>`.
    pub(super) fn list<'a>(&'a self, name: &str, item: &'static str) -> impl Iterator<Item = &'a Self> + use<'a> {
        let items = self.child(name).map(|list| list.children.as_slice()).unwrap_or_default();
        items.iter().filter(move |child| child.name == item)
    }

    /// The first element of a name, however deep within this one.
    pub(super) fn find(&self, name: &str) -> Option<&Self> {
        self.child(name).or_else(|| self.children.iter().find_map(|child| child.find(name)))
    }
}

/// Text with its references resolved: the five that XML knows without a document type, and numbers.
fn resolve(text: &str) -> Result<String, XmlError> {
    let mut resolved = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        let unknown = |name: &str| XmlError::Reference(name.chars().take(20).collect());
        let (name, tail) = after.split_once(';').ok_or_else(|| unknown(after))?;
        let number = |digits: &str, radix| u32::from_str_radix(digits, radix).ok().and_then(char::from_u32);
        let character = match name {
            "amp" => Some('&'),
            "lt" => Some('<'),
            "gt" => Some('>'),
            "quot" => Some('"'),
            "apos" => Some('\''),
            _ => match (name.strip_prefix("#x"), name.strip_prefix('#')) {
                (Some(digits), _) => number(digits, 16),
                (None, Some(digits)) => number(digits, 10),
                (None, None) => None,
            },
        };
        resolved.push_str(before);
        resolved.push(character.ok_or_else(|| unknown(name))?);
        rest = tail;
    }
    resolved.push_str(rest);
    Ok(resolved)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_and_lists_are_found() {
        let answer = Element::parse(
            "<?xml version=\"1.0\"?>\n<Answer xmlns=\"urn:x\"><!-- no --><Names>\n  <member>a &amp; b</member>\n  \
             <member><![CDATA[c & d]]></member>\n</Names><Empty/><Deep><Er>&#x41;&#66;</Er></Deep></Answer>",
        )
        .unwrap();
        let names: Vec<&str> = answer.list("Names", "member").map(Element::own_text).collect();
        assert_eq!(names, ["a & b", "c & d"]);
        assert_eq!(answer.find("Er").map(Element::own_text), Some("AB"));
        assert_eq!(answer.text("Empty"), None);
        assert_eq!(answer.list("Others", "member").count(), 0);
    }

    #[test]
    fn what_is_no_xml_is_refused() {
        let error = |text: &str| Element::parse(text).unwrap_err().to_string();
        assert_eq!(error("<a><b></a></b>"), XmlError::Unbalanced.to_string());
        assert_eq!(error("<a>"), XmlError::Unbalanced.to_string());
        assert_eq!(error(""), XmlError::Unbalanced.to_string());
        assert_eq!(error("<a>&nbsp;</a>"), "not XML: an unknown reference &nbsp;");
        assert_eq!(error("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), "XML with a document type");
        assert_eq!(error(&"<a>".repeat(1000)), "XML with more than 32 levels");
        assert!(error("{\"json\": true}").starts_with("not XML"));
    }
}
