//! The ledger of a study lists what is not where it should be, and nothing else.

use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::dcmtk::Witness;
use sidelight_tests::peers::patience::eventually;

use crate::audit::send;
use crate::destinations::{box_with, counted, dicom, ledger};
use crate::small_ct::{SmallCt, data_set};

#[test]
fn ends_without_a_difference_when_all_is_through() {
    let witness = Witness::start("+xe").unwrap();
    let sidelight = box_with(&dicom("pacs", witness.port(), false)).start().unwrap();
    let study = SmallCt::new();
    send(&sidelight, &study, 0..4);
    counted(&sidelight, &study.study_uid, "pacs", "forwarded", 4);
    let settled = eventually("nothing to differ any more", || {
        let ledger = ledger(&sidelight, &study.study_uid);
        (ledger["differences_total"] == 0).then_some(ledger)
    });
    assert_eq!((&settled["received"], &settled["analysed"]), (&4.into(), &4.into()), "{settled:#}");
    assert_eq!(settled["stays"], "an archive has not confirmed all of its objects");
}

#[test]
fn names_the_second_version_of_an_object() {
    let sidelight = appliance().start().unwrap();
    let study = SmallCt::new();
    let mut object = study.object(0, 64);
    let uid =
        object.element(dicom_dictionary_std::tags::SOP_INSTANCE_UID).unwrap().to_str().unwrap().into_owned();
    let first = data_set(&object);
    object.put(dicom_core::DataElement::new(
        dicom_dictionary_std::tags::INSTANCE_NUMBER,
        dicom_core::VR::IS,
        dicom_core::PrimitiveValue::from("99"),
    ));
    let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
    for bytes in [first, data_set(&object)] {
        assert_eq!(association.store(1, CT_IMAGE_STORAGE, &uid, &bytes).unwrap(), 0);
    }
    association.release().unwrap();
    let told = eventually("the analysis to settle", || {
        let ledger = ledger(&sidelight, &study.study_uid);
        (ledger["analysed"] == 1).then_some(ledger)
    });
    assert_eq!((&told["received"], &told["conflicts"]), (&2.into(), &1.into()), "{told:#}");
    assert_eq!(told["differences_total"], 1);
    assert_eq!(told["differences"][0]["sop_instance_uid"], uid.as_str());
    assert_eq!(sidelight.api().get("/api/studies/1.2.3/ledger").unwrap().status, 404);
}
