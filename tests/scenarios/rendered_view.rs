//! Somebody asks for a series in three dimensions: by address, by stream, and at the reading station. A ball of known
//! size and place must be a disc of that size at that place, whichever way it is asked for.

use std::f64::consts::PI;
use std::net::TcpStream;

use serde_json::{Value, json};
use sidelight_tests::peers::api::Api;
use sidelight_tests::peers::appliance::{Appliance, appliance};
use sidelight_tests::peers::browser::Browser;
use sidelight_tests::peers::dcmtk::storescu;
use sidelight_tests::peers::patience::{eventually, patience};
use sidelight_tests::peers::scratch::{Scratch, profile_folder};
use sidelight_tests::phantoms::sphere::{CENTER_MM, INSIDE_HU, RADIUS_MM, bright_ball};
use sidelight_tests::phantoms::{Encoding, SeriesUids, write};
use tungstenite::client::IntoClientRequest as _;
use tungstenite::{Message, WebSocket};

use crate::studies::{report, shuffled};

/// A box that has the ball.
pub(crate) fn box_with_ball(scratch: &Scratch) -> (Appliance, SeriesUids) {
    let series = bright_ball(5);
    let files = shuffled(write(&series, Encoding::ExplicitLittleEndian, scratch.path()).unwrap());
    let sidelight = appliance().start().unwrap();
    storescu(sidelight.dicom_port(), &files, &[]).unwrap().succeeded();
    let (api, uids) = (sidelight.api(), series.uids());
    eventually("all of the series", || {
        let study = api.study(&uids.study).ok()?;
        (study["series"][0]["stack"]["frames"] == uids.instances.len()).then_some(())
    });
    (sidelight, uids)
}

/// Levels of a PNG, the first channel of each pixel.
pub(crate) struct Picture {
    width: usize,
    levels: Vec<u8>,
}

pub(crate) fn png(bytes: &[u8]) -> Picture {
    let mut reader = png::Decoder::new(std::io::Cursor::new(bytes)).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    let levels = samples.chunks(info.color_type.samples()).map(|pixel| pixel[0]).collect();
    Picture { width: info.width as usize, levels }
}

/// How many pixels are brighter than so much, and where their middle is.
pub(crate) fn disc(picture: &Picture, brighter_than: u8) -> (f64, [f64; 2]) {
    let lit = picture.levels.iter().enumerate().filter(|(_, level)| **level > brighter_than);
    let (mut count, mut sum) = (0.0, [0.0; 2]);
    for (at, _) in lit {
        count += 1.0;
        sum[0] += (at % picture.width) as f64 + 0.5;
        sum[1] += (at / picture.width) as f64 + 0.5;
    }
    (count, sum.map(|sum| sum / count))
}

fn assert_disc(
    what: &str,
    picture: &Picture,
    (brighter_than, within): (u8, f64),
    at: [f64; 2],
    pixel_mm: f64,
) {
    let (area, middle) = disc(picture, brighter_than);
    let expected = PI * (RADIUS_MM / pixel_mm).powi(2);
    assert!((area / expected - 1.0).abs() < within, "{what}: {area} pixels, not {expected}");
    for axis in 0..2 {
        assert!((middle[axis] - at[axis]).abs() < 1.0, "{what}: the middle is at {middle:?}, not {at:?}");
    }
}

/// 200 pixels of a millimetre around the patient's origin, as the eye at a letter sees the ball.
fn seen_from(orientation: &str) -> [f64; 2] {
    let [x, y, z] = CENTER_MM;
    let (right, down) = match orientation {
        "a" => (x, -z),
        "p" => (-x, -z),
        "l" => (y, -z),
        "r" => (-y, -z),
        "h" => (-x, y),
        "f" => (x, y),
        other => panic!("{other} is no orientation"),
    };
    [100.0 + right, 100.0 + down]
}

#[test]
fn a_rendered_ball_has_its_size_and_place() {
    let scratch = Scratch::new("ball").unwrap();
    let (sidelight, uids) = box_with_ball(&scratch);
    let api = sidelight.api();
    let series = format!("/dicom-web/studies/{}/series/{}", uids.study, uids.series);
    let rendered = |api: &Api, what: &str, parameters: &str| {
        let address = format!("{series}/{what}?viewport=200,200&heightmm=200&{parameters}");
        let answer = api.send("GET", &address, &[("Accept", "image/png")], None).unwrap();
        assert_eq!(answer.status, 200, "{address}: {}", answer.text());
        assert_eq!(answer.header("content-type"), Some("image/png"));
        png(&answer.body)
    };
    for orientation in ["a", "p", "l", "r", "h", "f"] {
        let at = seen_from(orientation);
        let window = "window=-100,1800,linear-exact";
        let maximum = format!("orientation={orientation}&renderingmethod=maximum_ip&{window}");
        assert_disc(&maximum, &rendered(&api, "rendered3D", &maximum), (127, 0.03), at, 1.0);
        let volume = format!("orientation={orientation}&preset=bone");
        // The rim is seen at a grazing angle and in the dark: a pixel of it may be too dim to count.
        assert_disc(&volume, &rendered(&api, "rendered3D", &volume), (12, 0.06), at, 1.0);
        let [x, y, z] = CENTER_MM;
        // The plane through the ball's middle, with that in the middle of the picture.
        let slab = format!("orientation={orientation}&viewpointlookat={x},{y},{z}&mprslab=4&{window}");
        assert_disc(&slab, &rendered(&api, "renderedMPR", &slab), (127, 0.03), [100.0, 100.0], 1.0);
    }
    // Grey levels are those of the values: in the middle of the ball, of a window of 1000 around it.
    let window = format!("window={INSIDE_HU},1000,linear-exact");
    let [x, y, z] = CENTER_MM;
    let plane = rendered(&api, "renderedMPR", &format!("viewpointlookat={x},{y},{z}&{window}"));
    assert_eq!(plane.levels[100 * 200 + 100], 128, "half of the window");
}

#[test]
fn what_cannot_be_rendered_is_refused_in_words() {
    let scratch = Scratch::new("ball").unwrap();
    let (sidelight, uids) = box_with_ball(&scratch);
    let api = sidelight.api();
    let series = format!("/dicom-web/studies/{}/series/{}", uids.study, uids.series);
    let refused = |address: &str, status: u16, word: &str| {
        let answer = api.get(address).unwrap();
        assert_eq!(answer.status, status, "{address}: {}", answer.text());
        assert!(answer.text().contains(word), "{address}: {}", answer.text());
    };
    refused(&format!("{series}/rendered3D?preset=cubism"), 400, "preset");
    refused(&format!("{series}/rendered3D?viewport=0,9"), 400, "viewport");
    refused(&format!("{series}/rendered3D?viewpointup=0,1,0"), 400, "up direction");
    refused(&format!("{series}/renderedMPR?renderingmethod=volume_rendered"), 400, "renderingmethod");
    refused(&format!("{series}/rendered3D?swivelrange=90"), 400, "swivelrange");
    refused(&format!("/dicom-web/studies/{}/series/1.2.3/rendered3D", uids.study), 404, "no such");
    for address in [format!("{series}/rendered3D"), format!("{series}/renderedMPR"), pictures(&uids)] {
        assert_eq!(api.with_token(None).get(&address).unwrap().status, 401, "{address}");
    }
}

pub(crate) fn pictures(uids: &SeriesUids) -> String {
    format!("/api/studies/{}/series/{}/pictures", uids.study, uids.series)
}

/// A stream at the address, after the box said what it is.
pub(crate) fn stream(sidelight: &Appliance, address: &str) -> (WebSocket<TcpStream>, Value) {
    let http = &sidelight.ready().http;
    let host = http.trim_start_matches("http://");
    let socket = TcpStream::connect(host).unwrap();
    socket.set_read_timeout(Some(patience())).unwrap();
    let mut request = format!("ws://{host}{address}").into_client_request().unwrap();
    let token = format!("Bearer {}", sidelight.ready().token);
    request.headers_mut().insert("Authorization", token.parse().unwrap());
    let (mut socket, _) = tungstenite::client(request, socket).unwrap();
    let scene = words(&mut socket);
    (socket, scene)
}

pub(crate) fn words(socket: &mut WebSocket<TcpStream>) -> Value {
    let message = socket.read().unwrap();
    serde_json::from_str(message.to_text().unwrap()).unwrap()
}

fn ask(seq: u32, moving: bool) -> Message {
    let [x, y, z] = CENTER_MM;
    let viewpoint =
        json!({ "position": [x, y - 300.0, z], "look_at": CENTER_MM, "up": [0, 0, 1], "height_mm": 100 });
    Message::text(
        json!({
            "seq": seq, "width": 200, "height": 200, "method": "maximum", "viewpoint": viewpoint,
            "window": [-100, 1800], "moving": moving,
        })
        .to_string(),
    )
}

/// Number, whether it is a still, and the file of the next picture.
pub(crate) fn picture(socket: &mut WebSocket<TcpStream>) -> (u32, bool, Vec<u8>) {
    match socket.read().unwrap() {
        Message::Binary(bytes) => {
            let seq = u32::from_le_bytes(bytes[..4].try_into().unwrap());
            (seq, bytes[4] == 1, bytes[8..].to_vec())
        }
        other => panic!("no picture but {other:?}"),
    }
}

#[test]
fn a_stream_follows_the_hand_and_ends_in_a_still() {
    let scratch = Scratch::new("ball").unwrap();
    let (sidelight, uids) = box_with_ball(&scratch);
    let (mut socket, scene) = stream(&sidelight, &pictures(&uids));
    assert_eq!((scene["kind"].as_str(), scene["unit"].as_str()), (Some("scene"), Some("HU")));
    assert!(scene["presets"].as_array().unwrap().contains(&json!("bone")), "{scene}");
    // A hand that moves faster than the box draws: only the newest counts.
    let last = 40;
    for seq in 1..=last {
        socket.send(ask(seq, true)).unwrap();
    }
    let mut drawn = Vec::new();
    let still = loop {
        let (seq, still, file) = picture(&mut socket);
        assert!(drawn.last().is_none_or(|before| *before <= seq), "{seq} came after {drawn:?}");
        drawn.push(seq);
        if still {
            assert_eq!(seq, last, "the still is of what was asked last");
            break file;
        }
        assert!(file.starts_with(b"\xff\xd8\xff"), "a preview is a JPEG");
    };
    assert!(
        drawn.iter().filter(|seq| **seq == last).count() == 2,
        "a preview and a still of the last: {drawn:?}"
    );
    assert!(drawn.len() <= last as usize, "every move was drawn: {drawn:?}");
    assert_disc("still", &png(&still), (127, 0.03), [100.0, 100.0], 0.5);
    // A hand that let go is not shown a preview first.
    socket.send(ask(last + 1, false)).unwrap();
    let (seq, still, _) = picture(&mut socket);
    assert_eq!((seq, still), (last + 1, true));
    // What is not understood is said, and the stream goes on.
    socket.send(Message::text("{\"seq\": 1}")).unwrap();
    assert_eq!(words(&mut socket)["kind"], "problem");
    socket.send(ask(last + 2, false)).unwrap();
    assert_eq!(picture(&mut socket).0, last + 2);
}

#[test]
fn a_box_draws_for_eight_panes_and_no_more() {
    let scratch = Scratch::new("ball").unwrap();
    let (sidelight, uids) = box_with_ball(&scratch);
    let panes: Vec<_> = (0..8).map(|_| stream(&sidelight, &pictures(&uids))).collect();
    let upgrade = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let answer = sidelight.api().send("GET", &pictures(&uids), &upgrade, None).unwrap();
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains("close one"), "{}", answer.text());
    drop(panes);
    eventually("a pane that was closed makes room", || {
        let http = sidelight.ready().http.trim_start_matches("http://").to_owned();
        let socket = TcpStream::connect(&http).ok()?;
        let mut request = format!("ws://{http}{}", pictures(&uids)).into_client_request().ok()?;
        let token = format!("Bearer {}", sidelight.ready().token);
        request.headers_mut().insert("Authorization", token.parse().ok()?);
        tungstenite::client(request, socket).ok()
    });
}

/// Lit pixels of the 3-D view and their middle, in pixels of the canvas, with the canvas' size.
const DISC_ON_THE_PAGE: &str = "(() => {
    const canvas = document.querySelector('[data-testid=volume]');
    const { width, height } = canvas;
    const pixels = canvas.getContext('2d').getImageData(0, 0, width, height).data;
    let count = 0, x = 0, y = 0;
    for (let at = 0; at < pixels.length; at += 4) {
        if (pixels[at] > 12) { count += 1; x += at / 4 % width; y += Math.floor(at / 4 / width); }
    }
    return { width, height, count, x: x / count, y: y / count };
})()";

pub(crate) const IS_STILL: &str = "document.documentElement.dataset.volume === 'still'";

pub(crate) fn press(browser: &mut Browser, key: &str) {
    let script =
        format!("window.dispatchEvent(new KeyboardEvent('keydown', {{ key: '{key}', bubbles: true }}))");
    browser.evaluate(&script).unwrap();
}

#[test]
fn the_reading_station_shows_the_ball_in_three_dimensions() {
    let scratch = Scratch::new("ball").unwrap();
    let (sidelight, uids) = box_with_ball(&scratch);
    let (_, scene) = stream(&sidelight, &pictures(&uids));
    let radius_mm = scene["radius_mm"].as_f64().unwrap();
    let mut browser = Browser::open(&sidelight.viewer_url(), 1400, 900).unwrap();
    browser.click("[data-testid=study-row]").unwrap();
    browser.wait_for("a slice", "document.documentElement.dataset.ready === 'image'").unwrap();
    press(&mut browser, "j");
    browser.wait_for("a still of the volume", IS_STILL).unwrap();
    let quality = browser.text_of("[data-testid=volume-quality]").unwrap();
    assert!(quality.contains("Lossless"), "{quality}");
    let seen = browser.evaluate(DISC_ON_THE_PAGE).unwrap();
    let number = |name: &str| seen[name].as_f64().unwrap();
    // The page shows 0.86 of the volume's diameter at first, from the front.
    let pixel_mm = 2.0 * radius_mm * 0.86 / number("height");
    let area_mm2 = number("count") * pixel_mm * pixel_mm;
    assert!((area_mm2 / (PI * RADIUS_MM * RADIUS_MM) - 1.0).abs() < 0.05, "{area_mm2} mm2: {seen}");
    let at =
        [number("x") - number("width") / 2.0, number("y") - number("height") / 2.0].map(|px| px * pixel_mm);
    assert!((at[0] - CENTER_MM[0]).abs() < 2.0 && (at[1] + CENTER_MM[2]).abs() < 2.0, "{at:?} mm: {seen}");
    let folder = profile_folder().parent().unwrap().join("screenshots");
    browser.screenshot(&folder.join("volume.png")).unwrap();

    // From the left, then planes with a slab: the picture changes, and becomes still again.
    press(&mut browser, "l");
    let back_on_the_right = "document.querySelector('.edge.right').textContent === 'P'";
    browser.wait_for("the view from the left, the back on the right", back_on_the_right).unwrap();
    browser.wait_for("its still", IS_STILL).unwrap();
    press(&mut browser, "u");
    browser
        .wait_for("the axial plane", "document.querySelector('.top-right').textContent.includes('Axial')")
        .unwrap();
    press(&mut browser, "]");
    browser.wait_for("its still", IS_STILL).unwrap();
    browser.screenshot(&folder.join("plane.png")).unwrap();
    report(&format!("screenshots: {}/volume.png, plane.png", folder.display()));
    assert_eq!(browser.console_errors().unwrap(), [] as [String; 0]);
}
