//! A study that comes in two associations, one second apart: half of it looks whole, but no message is ever sent
//! about the half.

use std::path::PathBuf;
use std::time::Duration;

use sidelight_tests::peers::api::measurement;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::broker::{Broker, Subscriber};
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::{eventually, stays};
use sidelight_tests::peers::scratch::Scratch;
use sidelight_tests::phantoms::TrueLesion;

use crate::patients::{by_position, patient, written_to};
use crate::studies::{finding_in_state, only_study, reference_series};

/// Longer than the lab site's `study_quiet_s`, so that a late message would be seen.
const QUIET_AND_MORE: Duration = Duration::from_secs(6);

struct Desk {
    sidelight: Appliance,
    subscriber: Subscriber,
    _broker: Broker,
}

/// Sends the lower half, watches for a second, sends the rest.
fn send_in_two_parts(files: Vec<PathBuf>) -> Desk {
    let broker = Broker::start().expect("a broker");
    let subscriber = broker.subscribe().expect("a subscriber");
    let sidelight = appliance().broker(&broker.url()).start().expect("a box");
    let files = by_position(files);
    let (first, second) = files.split_at(files.len() / 2);
    storescu(sidelight.dicom_port(), first, &["-xi"]).expect("storescu").succeeded();
    stays("no message about the first half", Duration::from_secs(1), || subscriber.messages().is_empty());
    storescu(sidelight.dicom_port(), second, &["-xi"]).expect("storescu").succeeded();
    assert_eq!(subscriber.messages(), [], "a message before the study was complete");
    Desk { sidelight, subscriber, _broker: broker }
}

#[test]
fn only_the_whole_patient_is_reported() {
    let truth = &patient().truth;
    let middle = patient().volume.dimensions().slices / 2;
    let in_lower = |lesion: &&_| first_slice(lesion) < middle;
    let lower = truth.lesions.iter().filter(in_lower).count();
    assert!(0 < lower && lower < truth.lesions.len(), "this patient's lesions all lie in one half");

    let scratch = Scratch::new("patient").unwrap();
    let desk = send_in_two_parts(written_to(scratch.path()));
    let api = desk.sidelight.api();
    let study = only_study(&api);
    let message = eventually("the message about the whole", || desk.subscriber.messages().into_iter().next());
    let finding = finding_in_state(&api, &study, &["preliminary"]);
    let agatston = measurement(&finding, "agatston").unwrap();
    assert!((agatston - truth.agatston).abs() < 1e-6 * truth.agatston, "{agatston} of {}", truth.agatston);
    assert!(message.json().unwrap().to_string().contains("preliminary"), "{message:?}");
    stays("one message", QUIET_AND_MORE, || desk.subscriber.messages().len() == 1);

    for older in api.findings_of(&study, "calcium").unwrap().iter().skip(1) {
        assert_eq!(older["state"], "superseded", "{older:#}");
        assert!(older["superseded_reason"].is_string(), "{older:#}");
    }
}

fn first_slice(lesion: &TrueLesion) -> u32 {
    lesion.slices[0].slice
}

#[test]
fn half_of_the_47_slices_is_never_reported_real_data() {
    let Some(files) = reference_series("half_of_the_47_slices_is_never_reported_real_data") else { return };
    let desk = send_in_two_parts(files);
    let api = desk.sidelight.api();
    let study = only_study(&api);
    let states = ["preliminary", "not_applicable", "failed"];
    let last = finding_in_state(&api, &study, &states);
    assert_ne!(last["state"], "failed", "{last:#}");
    assert_eq!(api.study(&study).unwrap()["instance_count"], 47);
    stays("one message at most", QUIET_AND_MORE, || desk.subscriber.messages().len() <= 1);
    for message in desk.subscriber.messages() {
        assert_eq!(message.json().unwrap()["state"], "preliminary", "{message:?}");
    }
    for older in api.findings_of(&study, "calcium").unwrap().iter().skip(1) {
        assert_eq!(older["state"], "superseded", "{older:#}");
    }
}
