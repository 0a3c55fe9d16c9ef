//! Attributes of search results in the DICOM JSON Model (PS3.18 10.6.3.3).

use serde_json::{Map, Value, json};

use crate::part10::{PatientStudy, person_names};
use crate::store::StudyEntry;
use crate::store::records::{InstanceRecord, SeriesRecord};

pub(super) type Object = Map<String, Value>;

/// Present in any case, empty where there is no value.
pub(super) fn text(object: &mut Object, tag: &str, vr: &str, value: &str) {
    let value = if value.is_empty() { json!({ "vr": vr }) } else { json!({ "vr": vr, "Value": [value] }) };
    object.insert(tag.into(), value);
}

fn number(object: &mut Object, tag: &str, vr: &str, value: Option<i64>) {
    let value = value.map_or_else(|| json!({ "vr": vr }), |value| json!({ "vr": vr, "Value": [value] }));
    object.insert(tag.into(), value);
}

fn name(object: &mut Object, tag: &str, value: &str) {
    let names = person_names(value);
    let empty = names.iter().all(Value::is_null);
    object.insert(
        tag.into(),
        if empty { json!({ "vr": "PN" }) } else { json!({ "vr": "PN", "Value": names }) },
    );
}

fn counted(value: u64) -> Option<i64> {
    i64::try_from(value).ok()
}

pub(super) fn patient_and_study(facts: &PatientStudy, study: &str, object: &mut Object) {
    // Results are Unicode whatever the objects use.
    text(object, "00080005", "CS", "ISO_IR 192");
    text(object, "00080020", "DA", &facts.study_date);
    text(object, "00080030", "TM", &facts.study_time);
    text(object, "00080050", "SH", &facts.accession_number);
    name(object, "00080090", &facts.referring_physician);
    text(object, "00081030", "LO", &facts.study_description);
    name(object, "00100010", &facts.patient_name);
    text(object, "00100020", "LO", &facts.patient_id);
    text(object, "00100030", "DA", &facts.birth_date);
    text(object, "00100040", "CS", &facts.sex);
    text(object, "0020000D", "UI", study);
    text(object, "00200010", "SH", &facts.study_id);
}

pub(super) fn study(entry: &StudyEntry, base: &str, object: &mut Object) {
    patient_and_study(&entry.record.patient_study, entry.uid.as_str(), object);
    object.insert("00080061".into(), json!({ "vr": "CS", "Value": entry.modalities() }));
    if entry.modalities().is_empty() {
        text(object, "00080061", "CS", "");
    }
    text(object, "00080056", "CS", "ONLINE");
    text(object, "00081190", "UR", &format!("{base}/studies/{}", entry.uid.as_str()));
    number(object, "00201206", "IS", counted(entry.series.len() as u64));
    number(object, "00201208", "IS", counted(entry.instances()));
}

pub(super) fn series(study: &str, uid: &str, record: &SeriesRecord, base: &str, object: &mut Object) {
    text(object, "00080005", "CS", "ISO_IR 192");
    text(object, "00080021", "DA", &record.date);
    text(object, "00080031", "TM", &record.time);
    text(object, "00080056", "CS", "ONLINE");
    text(object, "00080060", "CS", &record.modality);
    text(object, "0008103E", "LO", &record.description);
    text(object, "00081190", "UR", &format!("{base}/studies/{study}/series/{uid}"));
    text(object, "00180015", "CS", &record.body_part);
    text(object, "0020000D", "UI", study);
    text(object, "0020000E", "UI", uid);
    number(object, "00200011", "IS", record.number);
    number(object, "00201209", "IS", counted(record.instances));
}

pub(super) fn instance(record: &InstanceRecord, object: &mut Object) {
    let facts = &record.facts;
    text(object, "00080005", "CS", "ISO_IR 192");
    text(object, "00080016", "UI", &facts.sop_class);
    text(object, "00080018", "UI", facts.sop_instance.as_str());
    text(object, "00080056", "CS", "ONLINE");
    text(object, "00083002", "UI", &facts.transfer_syntax);
    text(object, "0020000D", "UI", facts.study.as_str());
    text(object, "0020000E", "UI", facts.series.as_str());
    number(object, "00200013", "IS", facts.instance_number);
    if let Some(picture) = &facts.picture {
        number(object, "00280008", "IS", Some(picture.frames.into()));
        number(object, "00280010", "US", Some(picture.rows.into()));
        number(object, "00280011", "US", Some(picture.columns.into()));
        number(object, "00280100", "US", Some(picture.bits_allocated.into()));
    }
}
