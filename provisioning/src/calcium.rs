//! How calcium is scored where 120 kVp was not used, and what a Hounsfield unit weighs: `[calcium]` of the site file.
//!
//! Agatston's thresholds belong to 120 kVp. For other voltages the literature disagrees, so a table is chosen by the
//! site, by name, with its source; nothing is interpolated between its rows. Rows are the first Hounsfield value of
//! the weights 1, 2, 3 and 4; the first is the threshold. Mass factors are milligrams of hydroxyapatite for each
//! cubic centimetre and Hounsfield unit, as scanners write (0018,9351).

use serde::Deserialize;

/// Two voltages are one when they differ by less: scanners write whole kilovolts.
const KVP_TOLERANCE: f64 = 0.5;
/// Longer ones do not fit a line of a report.
const PROVENANCE_CHARS_MAX: usize = 160;
/// A factor is about 0.7 to 0.9; outside of this it is in another unit or no factor.
const MASS_FACTOR: std::ops::RangeInclusive<f64> = 0.2..=2.0;
/// More rows than there are tube voltages are a mistake.
const ROWS_MAX: usize = 32;

#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Calcium {
    /// Which thresholds apply where the tube voltage is not 120 kVp. Without it such a series is scored at 130 HU,
    /// says so, and gets no category.
    pub kvp_table: Option<KvpTable>,
    /// The rows of `kvp_table = "site"`.
    #[serde(default)]
    pub kvp_rows: Vec<SiteRow>,
    /// Reconstructions whose Hounsfield values are those of 120 kVp whatever the voltage was.
    #[serde(default)]
    pub kv_independent: Vec<KvIndependent>,
    /// Calibration for mass where the images carry none.
    #[serde(default)]
    pub mass_factors: Vec<MassFactor>,
    /// Which of a scanner's three factors, for small, medium and large patients, applies.
    pub patient_size: Option<PatientSize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KvpTable {
    #[serde(rename = "graeni_2018")]
    Graeni2018,
    Brainsia,
    Site,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SiteRow {
    pub kvp: f64,
    /// Where the weights 1, 2, 3 and 4 begin.
    pub starts_hu: [i16; 4],
    pub provenance: String,
}

/// A row that applies, wherever it comes from.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    pub starts_hu: [i16; 4],
    pub provenance: String,
}

/// Told by its kernel or by words in the series description; every key given must match.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KvIndependent {
    /// Convolution Kernel (0018,1210), whole.
    pub convolution_kernel: Option<String>,
    /// Part of Series Description (0008,103E).
    pub series_description: Option<String>,
    pub provenance: String,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MassFactor {
    pub kvp: f64,
    pub mg_per_cm3_hu: f64,
    pub provenance: String,
}

/// By the chest's width from left to right, measured in the images.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatientSize {
    /// Narrower patients are small.
    pub medium_from_mm: f64,
    /// From here on they are large.
    pub large_from_mm: f64,
    pub provenance: String,
}

/// Gräni 2018 (Eur Heart J Cardiovasc Imaging, doi 10.1093/ehjci/jey019) as coded in MolloiLab/CalciumScoring.jl.
const GRAENI_2018: &[(f64, [i16; 4])] = &[
    (70.0, [207, 318, 477, 636]),
    (80.0, [177, 271, 408, 544]),
    (100.0, [145, 222, 334, 446]),
    (135.0, [119, 183, 274, 364]),
];
const GRAENI_2018_SOURCE: &str = "Graeni 2018, doi 10.1093/ehjci/jey019, as coded in CalciumScoring.jl";
/// BRAINSia/CardiacAgatstonMeasures.
const BRAINSIA: &[(f64, [i16; 4])] = &[(80.0, [167, 266, 408, 551])];
const BRAINSIA_SOURCE: &str = "BRAINSia CardiacAgatstonMeasures";

impl Calcium {
    /// The table's row for this voltage; `None` where no table is named or it has no such row.
    pub fn row(&self, kvp: f64) -> Option<Row> {
        let of = |rows: &[(f64, [i16; 4])], source: &str| {
            let (_, starts_hu) = rows.iter().find(|(row, _)| is_same(*row, kvp))?;
            Some(Row { starts_hu: *starts_hu, provenance: source.to_owned() })
        };
        match self.kvp_table? {
            KvpTable::Graeni2018 => of(GRAENI_2018, GRAENI_2018_SOURCE),
            KvpTable::Brainsia => of(BRAINSIA, BRAINSIA_SOURCE),
            KvpTable::Site => self
                .kvp_rows
                .iter()
                .find(|row| is_same(row.kvp, kvp))
                .map(|row| Row { starts_hu: row.starts_hu, provenance: row.provenance.clone() }),
        }
    }

    /// The entry that makes a series one of 120 kVp whatever its voltage.
    pub fn kv_independent(&self, kernels: &[String], series_description: &str) -> Option<&KvIndependent> {
        let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
        self.kv_independent.iter().find(|entry| {
            let kernel = entry.convolution_kernel.as_deref();
            let words = entry.series_description.as_deref();
            kernel.is_none_or(|kernel| kernels.iter().any(|found| same(found, kernel)))
                && words.is_none_or(|words| series_description.to_lowercase().contains(&words.to_lowercase()))
        })
    }

    pub fn mass_factor(&self, kvp: f64) -> Option<&MassFactor> {
        self.mass_factors.iter().find(|factor| is_same(factor.kvp, kvp))
    }

    pub(crate) fn check(&self) -> Result<(), (&'static str, String)> {
        self.check_rows()?;
        for entry in &self.kv_independent {
            let key = "calcium.kv_independent";
            let given = [&entry.convolution_kernel, &entry.series_description];
            if given.iter().all(|text| text.is_none()) {
                return Err((key, "needs convolution_kernel or series_description".into()));
            }
            if given.iter().any(|text| text.as_deref().is_some_and(|text| text.trim().is_empty())) {
                return Err((key, "an empty text matches everything".into()));
            }
            check_provenance(key, &entry.provenance)?;
        }
        let key = "calcium.mass_factors";
        check_voltages(key, &self.mass_factors.iter().map(|factor| factor.kvp).collect::<Vec<_>>())?;
        for factor in &self.mass_factors {
            if !is_plausible_mass_factor(factor.mg_per_cm3_hu) {
                return Err((key, "mg_per_cm3_hu must be 0.2 to 2; about 0.8 is usual".into()));
            }
            check_provenance(key, &factor.provenance)?;
        }
        let Some(size) = &self.patient_size else { return Ok(()) };
        if !(100.0..size.large_from_mm).contains(&size.medium_from_mm) || size.large_from_mm > 900.0 {
            return Err((
                "calcium.patient_size",
                "needs 100 <= medium_from_mm < large_from_mm <= 900".into(),
            ));
        }
        check_provenance("calcium.patient_size", &size.provenance)
    }

    fn check_rows(&self) -> Result<(), (&'static str, String)> {
        let key = "calcium.kvp_rows";
        if (self.kvp_table == Some(KvpTable::Site)) == self.kvp_rows.is_empty() {
            return Err((key, "are given with kvp_table = \"site\" and only with it".into()));
        }
        check_voltages(key, &self.kvp_rows.iter().map(|row| row.kvp).collect::<Vec<_>>())?;
        for row in &self.kvp_rows {
            if is_same(row.kvp, 120.0) {
                return Err((key, "120 kVp has Agatston's own thresholds".into()));
            }
            if row.starts_hu[0] < 50 || !row.starts_hu.is_sorted_by(|a, b| a < b) {
                return Err((key, "starts_hu must ascend from at least 50".into()));
            }
            check_provenance(key, &row.provenance)?;
        }
        Ok(())
    }
}

/// Whether a number can be milligrams for each cubic centimetre and Hounsfield unit.
pub fn is_plausible_mass_factor(factor: f64) -> bool {
    MASS_FACTOR.contains(&factor)
}

fn is_same(a: f64, b: f64) -> bool {
    (a - b).abs() < KVP_TOLERANCE
}

fn check_voltages(key: &'static str, voltages: &[f64]) -> Result<(), (&'static str, String)> {
    if voltages.len() > ROWS_MAX {
        return Err((key, format!("has more than {ROWS_MAX} rows")));
    }
    for (place, &kvp) in voltages.iter().enumerate() {
        if !(40.0..=160.0).contains(&kvp) {
            return Err((key, "kvp must be 40 to 160".into()));
        }
        if voltages[..place].iter().any(|&other| is_same(other, kvp)) {
            return Err((key, format!("{kvp} kVp stands twice")));
        }
    }
    Ok(())
}

fn check_provenance(key: &'static str, text: &str) -> Result<(), (&'static str, String)> {
    let length = text.trim().chars().count();
    if (1..=PROVENANCE_CHARS_MAX).contains(&length) && !text.chars().any(char::is_control) {
        return Ok(());
    }
    Err((key, format!("provenance must say in 1 to {PROVENANCE_CHARS_MAX} characters where it comes from")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Calcium, String> {
        let calcium: Calcium = toml::from_str(text).map_err(|error| error.to_string())?;
        calcium.check().map_err(|(key, what)| format!("{key}: {what}"))?;
        Ok(calcium)
    }

    #[test]
    fn no_table_is_no_row_and_no_row_is_made_up_between_two() {
        assert_eq!(Calcium::default().row(100.0), None);
        let graeni = read("kvp_table = \"graeni_2018\"").unwrap();
        assert_eq!(graeni.row(100.0).unwrap().starts_hu, [145, 222, 334, 446]);
        assert_eq!(graeni.row(90.0), None, "a row between 80 and 100 kVp");
        assert_eq!(
            read("kvp_table = \"brainsia\"").unwrap().row(80.0).unwrap().starts_hu,
            [167, 266, 408, 551]
        );
    }

    #[test]
    fn a_site_table_says_where_it_comes_from() {
        let row = "kvp_table = \"site\"\n[[kvp_rows]]\nkvp = 110\nstarts_hu = [137, 210, 316, 421]\nprovenance = \"own phantom\"\n";
        let found = read(row).unwrap().row(110.0).unwrap();
        assert_eq!((found.starts_hu[0], found.provenance.as_str()), (137, "own phantom"));
        for (from, to, word) in [
            ("own phantom", " ", "provenance"),
            ("[137, 210, 316, 421]", "[137, 210, 210, 421]", "ascend"),
            ("kvp = 110", "kvp = 120", "Agatston"),
            ("kvp = 110", "kvp = 11", "40 to 160"),
            ("\"site\"", "\"graeni_2018\"", "kvp_rows"),
            ("starts_hu", "start_hu", "start_hu"),
        ] {
            let text = row.replace(from, to);
            assert_ne!(text, row);
            let refusal = read(&text).unwrap_err();
            assert!(refusal.contains(word), "{refusal}");
        }
        assert!(read("kvp_table = \"site\"").unwrap_err().contains("kvp_rows"));
    }

    #[test]
    fn a_kv_independent_series_matches_by_every_key_given() {
        let calcium = read(
            "[[kv_independent]]\nconvolution_kernel = \"Sa36f\"\nprovenance = \"vendor\"\n\
             [[kv_independent]]\nseries_description = \"CaScore kV\"\nprovenance = \"vendor\"\n",
        )
        .unwrap();
        let kernel = |name: &str| vec![name.to_owned(), "3".to_owned()];
        assert!(calcium.kv_independent(&kernel("SA36F"), "").is_some());
        assert!(calcium.kv_independent(&kernel("Qr36"), "3.0 cascore KV-indep").is_some());
        assert!(calcium.kv_independent(&kernel("Qr36"), "CaScore").is_none());
        let both =
            "[[kv_independent]]\nconvolution_kernel = \"a\"\nseries_description = \"b\"\nprovenance = \"c\"";
        assert!(read(both).unwrap().kv_independent(&kernel("a"), "x").is_none());
        assert!(read("[[kv_independent]]\nprovenance = \"c\"").unwrap_err().contains("needs"));
    }

    #[test]
    fn a_mass_factor_in_another_unit_is_refused() {
        let text = "[[mass_factors]]\nkvp = 120\nmg_per_cm3_hu = 0.74\nprovenance = \"QRM insert\"";
        assert_eq!(read(text).unwrap().mass_factor(120.0).unwrap().mg_per_cm3_hu, 0.74);
        assert_eq!(read(text).unwrap().mass_factor(100.0), None);
        let thousandth = text.replace("0.74", "0.00074");
        assert!(read(&thousandth).unwrap_err().contains("mg_per_cm3_hu"));
        assert!(read(&format!("{text}\n{text}")).unwrap_err().contains("twice"));
        let size = "[patient_size]\nmedium_from_mm = 400\nlarge_from_mm = 320\nprovenance = \"x\"";
        assert!(read(size).unwrap_err().contains("patient_size"));
    }
}
