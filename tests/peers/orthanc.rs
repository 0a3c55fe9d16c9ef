//! Orthanc: a PACS that nobody here wrote, with its DICOMweb plug-in. Started by the test on ports of its own, with a
//! configuration and folders of its own; never as a service.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use super::api::{Api, ApiError};
use super::broker::free_port;
use super::process::{StartError, Watched};
use super::scratch::Scratch;

const PACKAGE: &str = "orthanc";
/// Debian's places for the plug-in of the package orthanc-dicomweb.
const DICOMWEB_PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
const PROGRAM: &str = "/usr/sbin/Orthanc";

/// A running Orthanc; dropping it ends the process and removes what it stored.
#[derive(Debug)]
pub struct Orthanc {
    process: Watched,
    dicom_port: u16,
    http_port: u16,
    scratch: Scratch,
}

impl Orthanc {
    pub fn start() -> Result<Self, StartError> {
        let prepare = |source| StartError::Prepare { what: "a folder for Orthanc".into(), source };
        if !Path::new(DICOMWEB_PLUGIN).exists() {
            let program = DICOMWEB_PLUGIN.to_owned();
            return Err(StartError::Missing { program, package: "orthanc-dicomweb" });
        }
        let mut failure = None;
        // Another process may take a port between our look and Orthanc's bind.
        for _attempt in 0..5 {
            let scratch = Scratch::new("orthanc").map_err(prepare)?;
            let (dicom_port, http_port) = (free_port().map_err(prepare)?, free_port().map_err(prepare)?);
            match serve(&scratch, dicom_port, http_port) {
                Ok(process) => return Ok(Self { process, dicom_port, http_port, scratch }),
                Err(why @ StartError::Missing { .. }) => return Err(why),
                Err(why) => failure = Some(why),
            }
        }
        Err(failure.expect("five attempts leave five failures"))
    }

    pub fn dicom_port(&self) -> u16 {
        self.dicom_port
    }

    /// Address of its DICOMweb service.
    pub fn dicomweb_url(&self) -> String {
        format!("http://127.0.0.1:{}/dicom-web", self.http_port)
    }

    /// Its own REST interface.
    pub fn api(&self) -> Api {
        Api::new(&format!("http://127.0.0.1:{}", self.http_port), None)
    }

    /// SOP Instance UIDs of everything it has, as QIDO-RS lists them.
    pub fn instances(&self) -> Result<Vec<String>, ApiError> {
        let found = self.api().json("/dicom-web/instances?limit=10000")?;
        let uid = |one: &Value| one["00080018"]["Value"][0].as_str().map(str::to_owned);
        let mut uids: Vec<String> = found.as_array().into_iter().flatten().filter_map(uid).collect();
        uids.sort();
        Ok(uids)
    }

    /// How often an object was received, counted from its log of changes: an object sent twice under two UIDs shows.
    pub fn count(&self) -> Result<u64, ApiError> {
        Ok(self.api().json("/statistics")?["CountInstances"].as_u64().unwrap_or(0))
    }

    /// The file it keeps of an instance.
    pub fn file(&self, sop_instance_uid: &str) -> Result<Vec<u8>, ApiError> {
        let query = json!({ "Level": "Instance", "Query": { "SOPInstanceUID": sop_instance_uid } });
        let found = self.api().post("/tools/find", &query)?;
        let id = found[0].as_str().unwrap_or("none");
        self.api().bytes(&format!("/instances/{id}/file"))
    }

    /// From now on it calls back a modality of this name here: without, it takes no commitment requests of it.
    pub fn knows(&self, ae_title: &str, port: u16) -> Result<(), ApiError> {
        let modality = json!({ "AET": ae_title, "Host": "127.0.0.1", "Port": port });
        self.api().send("PUT", "/modalities/box", &[], Some(&modality)).map(drop)
    }

    pub fn kill9(&mut self) {
        self.process.kill9();
    }

    /// Starts it again on the same ports with what it had.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.process.kill9();
        self.process = serve(&self.scratch, self.dicom_port, self.http_port)?;
        Ok(())
    }

    pub fn evidence(&self) -> String {
        self.process.evidence()
    }
}

fn serve(scratch: &Scratch, dicom_port: u16, http_port: u16) -> Result<Watched, StartError> {
    let folder = scratch.path().to_path_buf();
    let configuration = folder.join("orthanc.json");
    let written = std::fs::write(&configuration, settings(&folder, dicom_port, http_port).to_string());
    written.map_err(|source| StartError::Prepare { what: "Orthanc's configuration".into(), source })?;
    let mut command = Command::new(PROGRAM);
    command.arg(&configuration);
    let mut process = Watched::start("orthanc", PACKAGE, command, &folder)?;
    let api = Api::new(&format!("http://127.0.0.1:{http_port}"), None);
    process.until("an answer of Orthanc", |_| {
        let answer = api.get("/dicom-web/studies").ok()?;
        (answer.status == 200).then_some(())
    })?;
    Ok(process)
}

fn settings(folder: &Path, dicom_port: u16, http_port: u16) -> Value {
    let below = |name: &str| -> PathBuf { folder.join(name) };
    json!({
        "Name": "tests",
        "StorageDirectory": below("storage"),
        "IndexDirectory": below("index"),
        "Plugins": [DICOMWEB_PLUGIN],
        "HttpServerEnabled": true,
        "HttpPort": http_port,
        "RemoteAccessAllowed": false,
        "AuthenticationEnabled": false,
        "DicomServerEnabled": true,
        "DicomAet": "ORTHANC",
        "DicomPort": dicom_port,
        "DicomCheckCalledAet": false,
        "DicomScuTimeout": 60,
        "DicomAlwaysAllowStore": true,
        "UnknownSopClassAccepted": true,
        "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
    })
}
