//! A calcium study goes in by C-STORE and comes out as its true score: in the API, and as a message that says nothing
//! about whose it is.

use serde_json::Value;
use sidelight_tests::peers::api::measurement;
use sidelight_tests::peers::appliance::{Appliance, Processor, appliance};
use sidelight_tests::peers::broker::{Broker, Message};
use sidelight_tests::peers::dcmtk;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;

use crate::patients::{identifying_values, patient, written_to};
use crate::studies::{finding_in_state, only_study, shuffled};

/// Sums of squares of spacings and of thirds of a slice: exact but for the last bits.
const ROUNDING: f64 = 1e-6;

fn agrees(found: f64, truth: f64) -> bool {
    (found - truth).abs() <= ROUNDING * truth.abs().max(1.0)
}

#[test]
fn by_storescu_on_software_vulkan() {
    arrives_and_is_scored(Processor::Gpu, "storescu");
}

#[test]
fn by_dcmsend_on_the_twin() {
    arrives_and_is_scored(Processor::Twin, "dcmsend");
}

fn arrives_and_is_scored(processor: Processor, tool: &str) {
    let scratch = Scratch::new("patient").expect("a folder");
    let files = shuffled(written_to(scratch.path()));
    let broker = Broker::start().expect("a broker");
    let subscriber = broker.subscribe().expect("a subscriber");
    let sidelight = appliance().processor(processor).broker(&broker.url()).start().expect("a box");
    check_processor(&sidelight, processor);

    let send = if tool == "storescu" { dcmtk::storescu } else { dcmtk::dcmsend };
    send(sidelight.dicom_port(), &files, &[]).expect("dcmtk").succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary", "failed", "not_applicable"]);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    check_finding(&finding);

    let message = eventually("the message", || subscriber.messages().into_iter().next());
    check_message(&message);
    says_nothing_about(&message, &identifying_values(&files));
    let log = sidelight.log();
    for value in identifying_values(&files) {
        assert!(!log.contains(&value), "the log tells {value:?}");
    }
}

fn check_processor(sidelight: &Appliance, processor: Processor) {
    let wanted = if processor == Processor::Gpu { "gpu" } else { "twin" };
    let found = eventually("the end of the boot probe", || {
        let described = sidelight.api().json("/api/box").ok()?;
        let kind = described["processor"]["kind"].as_str()?.to_owned();
        (kind != "probing").then_some(kind)
    });
    assert_eq!(found, wanted);
}

fn check_finding(finding: &Value) {
    let truth = &patient().truth;
    let agatston = measurement(finding, "agatston").expect("a score");
    assert!(agrees(agatston, truth.agatston), "measured {agatston}, true {}", truth.agatston);
    let volume_mm3 = measurement(finding, "volume").expect("a volume");
    assert!(agrees(volume_mm3, truth.volume_mm3), "measured {volume_mm3} mm3, true {}", truth.volume_mm3);
    assert!(finding["label"].as_str().is_some_and(|label| label.contains("unreviewed")), "{finding:#}");
    assert!(finding["scope"]["rule"].as_str().is_some_and(|rule| rule.len() > 40), "the rule is not told");

    let lesions = finding["lesions"].as_array().expect("lesions");
    assert!(!lesions.is_empty());
    let sum: f64 = lesions.iter().filter_map(|lesion| lesion["agatston"].as_f64()).sum();
    assert!(agrees(sum, agatston), "the lesions sum up to {sum}, the score is {agatston}");
    let of_slices = lesions.iter().flat_map(|lesion| lesion["slices"].as_array().into_iter().flatten());
    let sum: f64 = of_slices.filter_map(|slice| slice["agatston"].as_f64()).sum();
    assert!(agrees(sum, agatston), "the slices sum up to {sum}, the score is {agatston}");
}

fn check_message(message: &Message) {
    assert_eq!(message.topic, "sidelight/v1/lab/lab-box/result");
    let document = message.json().unwrap_or_else(|why| panic!("not JSON: {why}: {message:?}"));
    assert!(document.to_string().contains("\"preliminary\""), "{document:#}");
    let truth = patient().truth.agatston;
    assert!(any_number(&document, &|number| agrees(number, truth)), "no {truth} in {document:#}");
}

fn any_number(document: &Value, wanted: &dyn Fn(f64) -> bool) -> bool {
    match document {
        Value::Number(number) => number.as_f64().is_some_and(wanted),
        Value::Array(entries) => entries.iter().any(|entry| any_number(entry, wanted)),
        Value::Object(fields) => fields.values().any(|entry| any_number(entry, wanted)),
        _ => false,
    }
}

/// Searches the bytes as they went over the wire, topic and properties included.
fn says_nothing_about(message: &Message, values: &[String]) {
    let text = String::from_utf8_lossy(&message.payload).to_lowercase();
    for value in values {
        let value = value.to_lowercase();
        assert!(!text.contains(&value), "the message tells {value:?}: {text}");
        assert!(!message.topic.to_lowercase().contains(&value), "the topic tells {value:?}");
        assert!(!message.properties.to_lowercase().contains(&value), "a property tells {value:?}");
    }
}
