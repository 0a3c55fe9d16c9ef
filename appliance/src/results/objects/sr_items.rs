//! Content items of a structured report (PS3.3 C.17.3): a tree of typed nodes, by value; only an image of the
//! report's own library is named by its place in the tree.

use dicom_dictionary_std::{tags, uids};

use super::dataset::{Code, DataSet, decimal};

/// How a node belongs to the one above it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Relation {
    Contains,
    Concept,
    Context,
    Acquisition,
    Properties,
    Inferred,
    Selected,
}

impl Relation {
    fn name(self) -> &'static str {
        match self {
            Self::Contains => "CONTAINS",
            Self::Concept => "HAS CONCEPT MOD",
            Self::Context => "HAS OBS CONTEXT",
            Self::Acquisition => "HAS ACQ CONTEXT",
            Self::Properties => "HAS PROPERTIES",
            Self::Inferred => "INFERRED FROM",
            Self::Selected => "SELECTED FROM",
        }
    }
}

/// One content item with everything below it.
#[derive(Clone, Debug)]
pub(super) struct Node {
    relation: Relation,
    item: DataSet,
}

impl Node {
    /// Claims a template of PS3.16 for a container.
    pub(super) fn by_template(mut self, template: &str) -> Self {
        let mut claim = DataSet::new();
        claim.set(tags::MAPPING_RESOURCE, "DCMR").set(tags::TEMPLATE_IDENTIFIER, template);
        self.item.sequence(tags::CONTENT_TEMPLATE_SEQUENCE, vec![claim]);
        self
    }

    /// Belongs to the node above it in another way than its kind usually does.
    pub(super) fn related(mut self, relation: Relation) -> Self {
        self.relation = relation;
        self
    }

    /// Gives a node that has none the nodes below it.
    pub(super) fn with(mut self, nodes: Vec<Node>) -> Self {
        if !nodes.is_empty() {
            self.item.sequence(tags::CONTENT_SEQUENCE, nodes.into_iter().map(Node::into_item).collect());
        }
        self
    }

    /// The root of a document stands in the data set itself and belongs to nothing.
    pub(super) fn write_root(self, set: &mut DataSet) {
        set.merge(self.item);
    }

    fn into_item(self) -> DataSet {
        let mut item = self.item;
        item.set(tags::RELATIONSHIP_TYPE, self.relation.name());
        item
    }
}

fn node(relation: Relation, kind: &str, name: Option<Code>, nodes: Vec<Node>) -> Node {
    let mut item = DataSet::new();
    item.set(tags::VALUE_TYPE, kind);
    if let Some(name) = name {
        item.code(tags::CONCEPT_NAME_CODE_SEQUENCE, name);
    }
    if !nodes.is_empty() {
        item.sequence(tags::CONTENT_SEQUENCE, nodes.into_iter().map(Node::into_item).collect());
    }
    Node { relation, item }
}

pub(super) fn container(relation: Relation, name: Code, nodes: Vec<Node>) -> Node {
    let mut node = node(relation, "CONTAINER", Some(name), nodes);
    node.item.set(tags::CONTINUITY_OF_CONTENT, "SEPARATE");
    node
}

pub(super) fn text(relation: Relation, name: Code, words: String) -> Node {
    let mut node = node(relation, "TEXT", Some(name), Vec::new());
    node.item.set(tags::TEXT_VALUE, words);
    node
}

pub(super) fn code(relation: Relation, name: Code, value: Code) -> Node {
    let mut node = node(relation, "CODE", Some(name), Vec::new());
    node.item.code(tags::CONCEPT_CODE_SEQUENCE, value);
    node
}

pub(super) fn uid(relation: Relation, name: Code, value: String) -> Node {
    let mut node = node(relation, "UIDREF", Some(name), Vec::new());
    node.item.set(tags::UID, value);
    node
}

/// A measured value: as a decimal string, and in full as a float where the string had to be cut.
pub(super) fn number(name: Code, value: f64, unit: Code, nodes: Vec<Node>) -> Node {
    let mut node = node(Relation::Contains, "NUM", Some(name), nodes);
    let mut measured = DataSet::new();
    measured.ds(tags::NUMERIC_VALUE, &[value]);
    if decimal(value).parse() != Ok(value) {
        measured.fd(tags::FLOATING_POINT_VALUE, value);
    }
    measured.code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, unit);
    node.item.sequence(tags::MEASURED_VALUE_SEQUENCE, vec![measured]);
    node
}

pub(super) fn image(relation: Relation, reference: DataSet) -> Node {
    let source = Code("121112", "DCM", "Source of Measurement");
    let mut node = node(relation, "IMAGE", Some(source), Vec::new());
    node.item.sequence(tags::REFERENCED_SOP_SEQUENCE, vec![reference]);
    node
}

/// An image of a report's library: it needs no name.
pub(super) fn image_of(reference: DataSet, nodes: Vec<Node>) -> Node {
    let mut node = node(Relation::Contains, "IMAGE", None, nodes);
    node.item.sequence(tags::REFERENCED_SOP_SEQUENCE, vec![reference]);
    node
}

/// Another node of this report, by its place: positions from the root down, each from 1.
pub(super) fn reference(relation: Relation, place: &[u32]) -> Node {
    let mut item = DataSet::new();
    item.ul(tags::REFERENCED_CONTENT_ITEM_IDENTIFIER, place);
    Node { relation, item }
}

/// A point on an image of the library; column and row, whole numbers are centres.
pub(super) fn point(name: Code, at: [f64; 2], image: &[u32]) -> Node {
    graphic(name, "POINT", &[at], image)
}

/// A circle on an image of the library: its centre and a point of its rim.
pub(super) fn circle(name: Code, center: [f64; 2], rim: [f64; 2], image: &[u32]) -> Node {
    graphic(name, "CIRCLE", &[center, rim], image)
}

fn graphic(name: Code, kind: &str, points: &[[f64; 2]], image: &[u32]) -> Node {
    let on = vec![reference(Relation::Selected, image)];
    let mut node = node(Relation::Properties, "SCOORD", Some(name), on);
    // The corner of the first pixel is the origin (PS3.3 C.18.6.1.2), so its centre lies half a pixel further.
    #[expect(clippy::cast_possible_truncation, reason = "pixels of an image")]
    let values = points.iter().flatten().map(|value| (value + 0.5) as f32).collect();
    node.item.set(tags::GRAPHIC_TYPE, kind).floats(tags::GRAPHIC_DATA, values);
    node
}

/// One segment of a segmentation.
pub(super) fn segment(segmentation: &str, number: u32) -> Node {
    let mut reference = DataSet::new();
    reference.set(tags::REFERENCED_SOP_CLASS_UID, uids::SEGMENTATION_STORAGE);
    reference.set(tags::REFERENCED_SOP_INSTANCE_UID, segmentation);
    // At most LESIONS_MAX (400) lesions are listed, so this never saturates.
    reference.us(tags::REFERENCED_SEGMENT_NUMBER, &[u16::try_from(number).unwrap_or(u16::MAX)]);
    let name = Code("121191", "DCM", "Referenced Segment");
    let mut node = node(Relation::Contains, "IMAGE", Some(name), Vec::new());
    node.item.sequence(tags::REFERENCED_SOP_SEQUENCE, vec![reference]);
    node
}
