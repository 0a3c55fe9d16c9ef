//! The fixtures themselves: an assertion is worth no more than the peer that feeds it.

use std::path::PathBuf;

use sidelight_tests::peers::association::{
    Association, CT_IMAGE_STORAGE, EXPLICIT_VR_LITTLE_ENDIAN, VERIFICATION,
};
use sidelight_tests::peers::broker::Broker;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::Witness;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::process::{StartError, Watched};
use sidelight_tests::peers::scratch::Scratch;

#[test]
fn an_association_by_hand_is_understood_by_dcmtk() {
    let witness = Witness::start("+xe").unwrap();
    let explicit: &[&str] = &[EXPLICIT_VR_LITTLE_ENDIAN];
    let proposals = [(VERIFICATION, explicit), (CT_IMAGE_STORAGE, explicit), ("1.2.3", explicit)];
    let mut association = Association::open(witness.port(), "ANY", &proposals).unwrap();
    let results: Vec<u8> = association.contexts().iter().map(|context| context.result).collect();
    assert_eq!(results, [0, 0, 3], "{:?}", association.contexts());
    assert_eq!(association.echo(1).unwrap(), 0);

    let data_set = smallest_data_set("1.2.3.4.5");
    assert_eq!(association.store(3, CT_IMAGE_STORAGE, "1.2.3.4.5", &data_set).unwrap(), 0);
    association.release().unwrap();

    let files: Vec<PathBuf> =
        std::fs::read_dir(witness.received()).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(files.len(), 1, "{files:?}");
    assert!(std::fs::read(&files[0]).unwrap().ends_with(&data_set));
}

/// SOP class and instance UID, explicit VR little endian.
fn smallest_data_set(uid: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (element, uid) in [(0x16_u16, CT_IMAGE_STORAGE), (0x18, uid)] {
        let uid = if uid.len() % 2 == 0 { uid.to_owned() } else { format!("{uid}\0") };
        bytes.extend(8_u16.to_le_bytes());
        bytes.extend(element.to_le_bytes());
        bytes.extend(b"UI");
        bytes.extend(u16::try_from(uid.len()).expect("a UID is short").to_le_bytes());
        bytes.extend(uid.bytes());
    }
    bytes
}

#[test]
fn the_subscriber_sees_every_byte_and_property_of_a_message() {
    let broker = Broker::start().unwrap();
    let subscriber = broker.subscribe().unwrap();
    assert_eq!(subscriber.messages(), []);
    let scratch = Scratch::new("publisher").unwrap();
    let mut publish = std::process::Command::new("mosquitto_pub");
    let port = broker.url().rsplit_once(':').unwrap().1.to_owned();
    publish.args(["-h", "127.0.0.1", "-p", &port, "-V", "5", "-q", "1", "-t", "a/b", "-m", "tab\tline\nü"]);
    publish.args(["-D", "publish", "user-property", "who", "nobody"]);
    let mut publisher = Watched::start("publish", "mosquitto-clients", publish, scratch.path()).unwrap();
    assert!(
        publisher.wait(std::time::Duration::from_secs(20)).unwrap().success(),
        "{}",
        publisher.evidence()
    );
    let message = eventually("the message", || subscriber.messages().pop());
    assert_eq!(message.topic, "a/b");
    assert_eq!(message.payload, "tab\tline\nü".as_bytes());
    assert!(message.properties.contains("who") && message.properties.contains("nobody"), "{message:?}");
}

#[test]
fn the_browser_reads_clicks_and_reports_errors() {
    let page = "data:text/html,<button onclick='this.textContent=\"clicked\";nowhere()'>press</button>";
    let mut browser = Browser::open(page, 800, 600).unwrap();
    assert_eq!(browser.text_of("button").unwrap(), "press");
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
    browser.click("button").unwrap();
    assert_eq!(browser.text_of("button").unwrap(), "clicked");
    assert!(browser.console_errors().unwrap().concat().contains("nowhere"));
    let scratch = Scratch::new("picture").unwrap();
    let picture = scratch.path().join("page.png");
    browser.screenshot(&picture).unwrap();
    let bytes = std::fs::read(picture).unwrap();
    assert!(bytes.starts_with(b"\x89PNG"));
    // Width and height stand at a fixed place (PNG 11.2.1).
    assert_eq!(bytes[16..20], 800_u32.to_be_bytes());
    assert_eq!(bytes[20..24], 600_u32.to_be_bytes());
}

#[test]
fn a_missing_peer_names_the_package_and_an_early_end_is_noticed() {
    let scratch = Scratch::new("missing").unwrap();
    let missing = std::process::Command::new("no-such-program");
    let error = Watched::start("missing", "some-package", missing, scratch.path()).unwrap_err();
    assert!(error.to_string().contains("apt-get install some-package"), "{error}");

    let mut command = std::process::Command::new("sh");
    command.args(["-c", "echo last words >&2; exit 3"]);
    let mut process = Watched::start("early", "dash", command, scratch.path()).unwrap();
    let error = process.until("nothing", |_| None::<()>).unwrap_err();
    assert!(matches!(error, StartError::Ended { .. }), "{error}");
    assert!(error.to_string().contains("last words"), "{error}");
}
