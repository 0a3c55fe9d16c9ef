//! An administrator sees on the pages what waits for a person, and can do something about it: a destination that is
//! dead, a study under two patients, an object that does not parse, a disk, a legal hold.

use std::path::PathBuf;

use serde_json::json;
use sidelight_tests::peers::appliance::Appliance;
use sidelight_tests::peers::association::{Association, CT_IMAGE_STORAGE};
use sidelight_tests::peers::broker::free_port;
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::Witness;
use sidelight_tests::peers::patience::eventually;
use sidelight_tests::peers::scratch::profile_folder;

use crate::audit::{events, send, verify};
use crate::destinations::{box_with, counted, dicom};
use crate::small_ct::{SmallCt, data_set};
use crate::studies::report;

/// Everything an administrator may meet at once.
struct Trouble {
    sidelight: Appliance,
    sound: SmallCt,
    torn: SmallCt,
    _pacs: Witness,
}

impl Trouble {
    fn brewed() -> Self {
        let pacs = Witness::start("+xe").unwrap();
        let sections = [dicom("pacs", pacs.port(), false), dicom("archive", free_port().unwrap(), true)];
        let sidelight = box_with(&sections.concat()).start().unwrap();
        let sound = SmallCt { patient_name: "Marlowe^Philippa".into(), ..SmallCt::new() };
        send(&sidelight, &sound, 0..6);
        let torn = SmallCt { patient_name: "Two^Faced".into(), ..SmallCt::new() };
        let other = SmallCt { patient_name: "Other^Face".into(), ..torn.clone() };
        let mut association = Association::open_for_ct(sidelight.dicom_port()).unwrap();
        for slice in [torn.slice(0, 64), torn.slice(1, 64), other.slice(2, 64)] {
            let stored = association.store(1, CT_IMAGE_STORAGE, &slice.sop_instance_uid, &slice.data_set);
            assert_eq!(stored.unwrap(), 0);
        }
        // Arrives whole and ends inside an element.
        let mut broken = data_set(&torn.object(9, 64));
        broken.truncate(broken.len() - 77);
        assert_eq!(association.store(1, CT_IMAGE_STORAGE, "2.25.77", &broken).unwrap(), 0xB007);
        association.release().unwrap();
        counted(&sidelight, &sound.study_uid, "pacs", "forwarded", 6);
        Self { sidelight, sound, torn, _pacs: pacs }
    }

    fn browser(&self, width: u32, height: u32) -> Browser {
        let mut browser = Browser::open(&self.sidelight.viewer_url(), width, height).unwrap();
        browser
            .wait_for(
                "the list of studies",
                "document.querySelectorAll('[data-testid=study-row]').length === 2",
            )
            .unwrap();
        browser
    }
}

fn text_has(selector: &str, words: &str) -> String {
    format!("document.querySelector({})?.textContent?.includes({})", json!(selector), json!(words))
}

/// Types as a person does: the value, then the event the page listens to.
fn type_into(browser: &mut Browser, selector: &str, words: &str) {
    let script = format!(
        "(() => {{ const field = document.querySelector({}); if (!field) return false; field.value = {}; \
         field.dispatchEvent(new Event('input', {{ bubbles: true }})); return true; }})()",
        json!(selector),
        json!(words)
    );
    browser.wait_for(selector, &script).unwrap();
}

fn press(browser: &mut Browser, key: &str) {
    let script = format!(
        "(document.activeElement ?? document.body).dispatchEvent(new KeyboardEvent('keydown', {{ key: {}, bubbles: true, cancelable: true }}))",
        json!(key)
    );
    browser.evaluate(&script).unwrap();
}

fn picture(browser: &mut Browser, name: &str) -> PathBuf {
    let path = profile_folder().parent().unwrap().join(format!("screenshots/{name}.png"));
    browser.screenshot(&path).unwrap();
    path
}

#[test]
fn an_administrator_sees_and_settles_what_waits_for_a_person() {
    let mut trouble = Trouble::brewed();
    let mut browser = trouble.browser(1400, 900);
    for name in ["page-destinations", "page-identity", "page-quarantine"] {
        let sign = text_has(&format!("[data-testid={name}] .attention"), "need a person");
        browser.wait_for(&format!("the sign at {name}"), &sign).unwrap();
    }

    // The ledger: what differs comes first, and says why.
    press(&mut browser, "2");
    browser.wait_for("the sum", &text_has("[data-testid=ledger-sum]", "2 studies of 2 not through")).unwrap();
    let waiting = format!("[data-testid=ledger-line][data-uid='{}']", trouble.sound.study_uid);
    browser
        .wait_for("what the study waits for", &text_has(&waiting, "6 objects waiting for archive"))
        .unwrap();
    let held = format!("[data-testid=ledger-line][data-uid='{}']", trouble.torn.study_uid);
    browser.wait_for("why the other is held", &text_has(&held, "two patients")).unwrap();
    picture(&mut browser, "ledger");
    browser.click(&format!("{waiting} a")).unwrap();
    browser
        .wait_for("its differences", "document.querySelectorAll('[data-testid=difference]').length === 6")
        .unwrap();
    browser.wait_for("its totals", &text_has("[data-testid=totals]", "6received")).unwrap();

    // Destinations: in words, with what to do, and a try again that is answered.
    press(&mut browser, "3");
    let archive = "[data-testid=destination][data-name=archive]";
    browser.wait_for("the failure in words", &text_has(archive, "cannot be reached")).unwrap();
    browser.wait_for("what to do", &text_has(archive, "Nothing is lost")).unwrap();
    browser.click(&format!("{archive} [data-testid=retry]")).unwrap();
    browser
        .wait_for("an answer", &text_has(&format!("{archive} [role=status]:last-child"), "Trying now"))
        .unwrap();
    picture(&mut browser, "destinations");

    // Quarantine: why, from whom, and the very bytes.
    press(&mut browser, "5");
    browser.wait_for("the sender", &text_has("[data-testid=quarantined]", "CT Image Storage")).unwrap();
    let download = "fetch(document.querySelector('[data-testid=download]').href).then((a) => a.arrayBuffer()).then((b) => b.byteLength)";
    let bytes = browser.evaluate(download).unwrap();
    let kept = std::fs::read_dir(trouble.sidelight.data_folder().join("quarantine")).unwrap().flatten();
    let kept = kept.map(|entry| entry.path()).find(|path| path.extension().is_some_and(|ext| ext == "dcm"));
    assert_eq!(bytes.as_u64(), Some(std::fs::metadata(kept.unwrap()).unwrap().len()));

    settle_identity(&trouble, &mut browser);
    hold_and_lift(&trouble, &mut browser);
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
    drop(browser);
    assert!(trouble.sidelight.terminate().unwrap().success());
    assert_eq!(events(&trouble.sidelight, "object_exported").len(), 1);
    let decided = events(&trouble.sidelight, "identity_decided");
    assert_eq!(decided[0]["who"]["user"], "Bunter^Mervyn", "{decided:?}");
    assert_eq!(events(&trouble.sidelight, "legal_hold").len(), 2);
    verify(&trouble.sidelight).succeeded();
}

/// Both identities side by side; nothing is decided before it was asked twice and signed.
fn settle_identity(trouble: &Trouble, browser: &mut Browser) {
    press(browser, "4");
    browser.wait_for("one identity", &text_has("[data-testid=conflict]", "Two, Faced")).unwrap();
    browser.wait_for("the other beside it", &text_has("[data-testid=conflict]", "Other, Face")).unwrap();
    picture(browser, "identity");
    browser.click("[data-testid=accept]").unwrap();
    let identity = format!("/api/studies/{}/identity", trouble.torn.study_uid);
    assert_eq!(
        trouble.sidelight.api().json(&identity).unwrap()["held"],
        true,
        "decided before it was confirmed"
    );
    type_into(browser, "[data-testid=confirm-name]", "Bunter^Mervyn");
    picture(browser, "identity-question");
    browser.click("[data-testid=confirm-do]").unwrap();
    browser
        .wait_for(
            "the decision",
            "document.querySelector('[data-testid=conflict]')?.dataset.held === 'false'",
        )
        .unwrap();
    assert_eq!(trouble.sidelight.api().json(&identity).unwrap()["held"], false);
    // The page follows by itself: the study goes on, and the sign in the navigation goes.
    counted(&trouble.sidelight, &trouble.torn.study_uid, "pacs", "forwarded", 3);
    browser
        .wait_for(
            "no sign any more",
            "document.querySelector('[data-testid=page-identity] .attention') === null",
        )
        .unwrap();
}

/// A hold needs a reason and a name, shows why the study stays, and can be lifted.
fn hold_and_lift(trouble: &Trouble, browser: &mut Browser) {
    press(browser, "6");
    browser.wait_for("the disk", &text_has("[data-testid=disk]", "free")).unwrap();
    let line = format!("[data-testid=kept][data-uid='{}']", trouble.sound.study_uid);
    browser.click(&format!("{line} [data-testid=hold]")).unwrap();
    type_into(browser, "[data-testid=confirm-reason]", "court order 7");
    type_into(browser, "[data-testid=confirm-name]", "Bunter^Mervyn");
    browser.click("[data-testid=confirm-do]").unwrap();
    browser.wait_for("the hold on the page", &text_has(&line, "court order 7")).unwrap();
    browser.wait_for("why it stays", &text_has(&line, "a legal hold stands")).unwrap();
    picture(browser, "keeping");
    let ledger =
        || trouble.sidelight.api().json(&format!("/api/studies/{}/ledger", trouble.sound.study_uid)).unwrap();
    assert_eq!(ledger()["legal_hold"]["by"], "Bunter^Mervyn");
    browser.click(&format!("{line} [data-testid=hold]")).unwrap();
    browser.click("[data-testid=confirm-do]").unwrap();
    eventually("the hold lifted", || ledger()["legal_hold"].is_null().then_some(()));
}

#[test]
fn every_page_fits_a_phone_and_a_wall_and_says_when_it_is_empty() {
    let trouble = Trouble::brewed();
    let empty = box_with("").start().unwrap();
    for (width, height) in [(320, 640), (1920, 1080)] {
        let mut browser = trouble.browser(width, height);
        for page in ["", "ledger", "destinations", "identity", "quarantine", "keeping"] {
            fits(&mut browser, page, width);
        }
        let study = format!("ledger/{}", trouble.sound.study_uid);
        fits(&mut browser, &study, width);
        assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
    }
    let mut browser = Browser::open(&empty.viewer_url(), 900, 700).unwrap();
    // The address carries the token until the page has read it.
    browser.wait_for("the empty list", "location.hash === '' || location.hash === '#/'").unwrap();
    for (page, words) in [
        ("ledger", "Send a study by DICOM"),
        ("destinations", "Add a [[destinations]] section"),
        ("identity", "No study arrived under two patients"),
        ("quarantine", "Nothing is in quarantine"),
        ("keeping", "No study is on this box"),
    ] {
        browser.evaluate(&format!("location.hash = '#/{page}'; true")).unwrap();
        browser
            .wait_for(&format!("what an empty {page} says"), &text_has("[data-testid=nothing]", words))
            .unwrap();
    }
}

/// Nothing hangs over the edge, every control has a name and is large enough to hit.
fn fits(browser: &mut Browser, page: &str, width: u32) {
    browser.evaluate(&format!("location.hash = '#/{page}'; true")).unwrap();
    let there = "document.querySelector('.box-page-main')?.textContent?.length > 40 \
                 && !document.body.textContent.includes('Asking the box')";
    browser.wait_for(&format!("page {page:?}"), there).unwrap();
    let overflow = browser.evaluate("document.documentElement.scrollWidth - innerWidth").unwrap();
    assert!(overflow.as_i64() <= Some(0), "{page:?} at {width} px hangs over by {overflow}");
    let small = browser
        .evaluate(
            "[...document.querySelectorAll('.box-page a, .box-page button, .box-page input:not([type=checkbox])')]\
             .filter((one) => one.getClientRects().length > 0)\
             .filter((one) => { const box = one.getBoundingClientRect(); \
               return box.height < 20 || !(one.textContent.trim() || one.ariaLabel || one.labels?.length); })\
             .map((one) => one.outerHTML.slice(0, 120))",
        )
        .unwrap();
    assert_eq!(small, json!([]), "{page:?} at {width} px has controls nobody can hit or name");
    let name = page.split('/').next().unwrap_or_default();
    let path = picture(browser, &format!("page-{}-{width}", if name.is_empty() { "studies" } else { name }));
    report(&format!("screenshot: {}", path.display()));
}
