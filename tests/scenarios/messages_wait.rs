//! A result is promised once and delivered when the broker takes it, whatever ends in between.

use sidelight_tests::peers::appliance::appliance;
use sidelight_tests::peers::broker::Broker;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::Scratch;

use crate::patients::written_to;
use crate::studies::{finding_in_state, only_study, shuffled};

#[test]
fn for_a_broker_that_is_down_over_a_kill_of_the_box() {
    let scratch = Scratch::new("patient").unwrap();
    let mut broker = Broker::start().unwrap();
    let mut sidelight = appliance().broker(&broker.url()).start().unwrap();
    broker.kill9();
    storescu(sidelight.dicom_port(), &shuffled(written_to(scratch.path())), &[]).unwrap().succeeded();
    let api = sidelight.api();
    let study = only_study(&api);
    let finding = finding_in_state(&api, &study, &["preliminary", "failed", "not_applicable"]);
    assert_eq!(finding["state"], "preliminary", "{finding:#}");
    eventually("the box to say that a message waits", || {
        let described = api.json("/api/box").ok()?;
        (described["broker"]["waiting"].as_u64()? > 0 && described["broker"]["connected"] == false)
            .then_some(())
    });

    sidelight.kill9();
    broker.restart().unwrap();
    let subscriber = broker.subscribe().unwrap();
    sidelight.restart().unwrap();
    let message = eventually("the message", || subscriber.messages().into_iter().next());
    assert!(message.json().unwrap().to_string().contains("\"preliminary\""), "{message:?}");
    eventually("nothing to wait any more", || {
        let described = sidelight.api().json("/api/box").ok()?;
        (described["broker"]["waiting"] == 0).then_some(())
    });
}
