//! Which thresholds a series is scored with: Agatston's own at 120 kVp, a table the site file names, or Agatston's own
//! with a word of caution. Nothing is interpolated, nothing is corrected twice.
//!
//! ```text
//! kV-independent reconstruction (site file)   130 HU whatever the voltage         category
//! 120 kVp                                     130 HU                              category
//! other voltage with a row in the table       the row                             category, labelled
//! other or unstated voltage                   130 HU                              no category, labelled, warned
//! ```

use sidelight_kernels::calcium::Protocol;
use sidelight_provisioning::calcium::Calcium as CalciumSite;

use crate::part10::InstanceFacts;
use crate::store::finding::Warning;

/// The tube voltage Agatston's thresholds belong to.
const STANDARD_KVP: f64 = 120.0;

/// How the pixels of a series are weighed, and what must be said about it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Thresholds {
    pub protocol: Protocol,
    pub method: String,
    /// Stands beside every number where it is not plain Agatston.
    pub label: Option<String>,
    /// Present where no category may be given.
    pub warning: Option<Warning>,
}

pub(super) fn thresholds(facts: &InstanceFacts, site: &CalciumSite) -> Thresholds {
    let kernels = &facts.ct.convolution_kernels;
    if let Some(entry) = site.kv_independent(kernels, &facts.series_description) {
        return standard(format!(
            "Agatston 1990, 130/200/300/400 HU at {}: the reconstruction is independent of the tube voltage ({}).",
            voltage(facts.kvp),
            entry.provenance
        ));
    }
    match facts.kvp {
        Some(kvp) if (kvp - STANDARD_KVP).abs() < 0.5 => {
            standard("Agatston 1990, 130/200/300/400 HU at 120 kVp.".into())
        }
        Some(kvp) => match site.row(kvp) {
            Some(row) => {
                let [one, two, three, four] = row.starts_hu;
                let said = format!("{one}/{two}/{three}/{four} HU at {kvp:.0} kVp");
                Thresholds {
                    protocol: Protocol {
                        threshold_hu: one,
                        weight_starts_hu: row.starts_hu,
                        ..Protocol::AGATSTON
                    },
                    method: format!("Agatston with {said} ({}).", row.provenance),
                    label: Some(format!("thresholds {said}")),
                    warning: None,
                }
            }
            None => without_row(facts.kvp),
        },
        None => without_row(None),
    }
}

fn standard(method: String) -> Thresholds {
    Thresholds { protocol: Protocol::AGATSTON, method, label: None, warning: None }
}

fn without_row(kvp: Option<f64>) -> Thresholds {
    let taken = match kvp {
        Some(kvp) => format!("taken at {kvp:.0} kVp"),
        None => "the tube voltage is not stated".into(),
    };
    let text = format!(
        "{taken}: scored at 130 HU, which belongs to 120 kVp; no category. The site file can name a table of thresholds"
    );
    Thresholds {
        method: format!("130/200/300/400 HU, which belong to 120 kVp (Agatston 1990); {taken}."),
        label: Some(format!("130 HU, {}", kvp.map_or("unknown kVp".into(), |kvp| format!("{kvp:.0} kVp")))),
        warning: Some(Warning { code: "tube_voltage".into(), text }),
        ..standard(String::new())
    }
}

fn voltage(kvp: Option<f64>) -> String {
    kvp.map_or_else(|| "an unstated tube voltage".into(), |kvp| format!("{kvp:.0} kVp"))
}

#[cfg(test)]
mod tests {
    use sidelight_provisioning::calcium::{KvIndependent, KvpTable};

    use super::super::applicability::tests::facts;
    use super::*;

    fn at(kvp: Option<f64>, site: &CalciumSite) -> Thresholds {
        thresholds(&InstanceFacts { kvp, ..facts() }, site)
    }

    #[test]
    fn the_standard_needs_no_label_whatever_table_is_named() {
        for kvp_table in [None, Some(KvpTable::Graeni2018)] {
            let found = at(Some(120.0), &CalciumSite { kvp_table, ..CalciumSite::default() });
            assert_eq!((found.protocol, found.label, found.warning), (Protocol::AGATSTON, None, None));
        }
    }

    #[test]
    fn without_a_row_it_is_130_hu_labelled_and_without_category() {
        let graeni = CalciumSite { kvp_table: Some(KvpTable::Graeni2018), ..CalciumSite::default() };
        for (kvp, site, label) in [
            (Some(100.0), &CalciumSite::default(), "130 HU, 100 kVp"),
            (None, &CalciumSite::default(), "130 HU, unknown kVp"),
            (None, &graeni, "130 HU, unknown kVp"),
            (Some(90.0), &graeni, "130 HU, 90 kVp"),
        ] {
            let found = at(kvp, site);
            assert_eq!((found.protocol, found.label.as_deref()), (Protocol::AGATSTON, Some(label)));
            assert_eq!(found.warning.unwrap().code, "tube_voltage");
        }
    }

    #[test]
    fn a_row_is_used_as_it_stands_and_names_its_source() {
        let graeni = CalciumSite { kvp_table: Some(KvpTable::Graeni2018), ..CalciumSite::default() };
        let found = at(Some(100.0), &graeni);
        assert_eq!(found.protocol.threshold_hu, 145);
        assert_eq!(found.protocol.weight_starts_hu, [145, 222, 334, 446]);
        assert!(found.method.contains("Graeni"), "{}", found.method);
        assert_eq!(found.label.as_deref(), Some("thresholds 145/222/334/446 HU at 100 kVp"));
    }

    #[test]
    fn a_kv_independent_kernel_is_not_corrected_a_second_time() {
        let site = CalciumSite {
            kvp_table: Some(KvpTable::Graeni2018),
            kv_independent: vec![KvIndependent {
                convolution_kernel: Some("Sa36".into()),
                series_description: None,
                provenance: "vendor's guide".into(),
            }],
            ..CalciumSite::default()
        };
        let mut facts = InstanceFacts { kvp: Some(100.0), ..facts() };
        assert_eq!(thresholds(&facts, &site).protocol.threshold_hu, 145);
        facts.ct.convolution_kernels = vec!["Sa36".into(), "2".into()];
        let found = thresholds(&facts, &site);
        assert_eq!((found.protocol, found.warning), (Protocol::AGATSTON, None));
        assert!(found.method.contains("vendor's guide"), "{}", found.method);
    }
}
