"""Unmodified dicomweb-client against a box: searches, retrieves, renders and stores, and prints one JSON line with the
routes it used. Every assertion names what was expected; a failure ends it with a traceback.

usage: foreign_dicomweb.py URL TOKEN FOLDER     FOLDER has the Part-10 files that were sent to the box
"""

import io
import json
import sys
from pathlib import Path

import numpy
import pydicom
from dicomweb_client.api import DICOMwebClient
from PIL import Image
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from requests import Session
from requests.exceptions import HTTPError

url, token, folder = sys.argv[1:]
session = Session()
session.headers["Authorization"] = f"Bearer {token}"
routes = []


def note(response, *_args, **_kwargs):
    """Writes down the shape of every request: its address without UIDs."""
    path = response.url.split("?")[0].split("/dicom-web", 1)[1]
    words = path.split("/")
    shape = "/".join("{uid}" if "." in word and word[0].isdigit() else word for word in words)
    line = f"{response.request.method} {shape} {response.status_code}"
    if line not in routes:
        routes.append(line)


session.hooks["response"].append(note)
client = DICOMwebClient(url=f"{url}/dicom-web", session=session)
sent = [pydicom.dcmread(path) for path in sorted(Path(folder).glob("*.dcm"))]
first = sent[0]
study, series, instance = first.StudyInstanceUID, first.SeriesInstanceUID, first.SOPInstanceUID


def values(found, tag):
    return [item[tag]["Value"][0] for item in found]


def search():
    everything = client.search_for_studies()
    assert study in values(everything, "0020000D"), everything
    for filters in (
        {"StudyInstanceUID": study},
        {"0020000D": study},
        {"PatientID": first.PatientID},
        {"PatientID": first.PatientID[:3] + "*"},
        {"PatientName": str(first.PatientName).upper()},
        {"PatientName": "*" + str(first.PatientName)[1:4] + "*"},
        {"StudyDate": f"{first.StudyDate}-{first.StudyDate}"},
        {"StudyDate": f"-{first.StudyDate}"},
        {"ModalitiesInStudy": first.Modality},
        {"AccessionNumber": first.AccessionNumber, "NoSuchKey": "ignored"},
    ):
        found = client.search_for_studies(search_filters=filters, fields=["StudyDescription", "00100030"])
        assert study in values(found, "0020000D"), (filters, found)
    word = str(first.PatientName).split("^")[1][:4].lower()
    assert study in values(client.search_for_studies(fuzzymatching=True, search_filters={"PatientName": word}), "0020000D")
    assert client.search_for_studies(search_filters={"PatientID": "nobody"}) == []
    assert len(client.search_for_studies(limit=1)) == 1
    assert client.search_for_studies(offset=len(everything)) == []
    assert len(client.search_for_studies(get_remaining=True, limit=1)) == len(everything)
    entry = client.search_for_studies(search_filters={"StudyInstanceUID": study})[0]
    assert entry["00201208"]["Value"] == [len(sent)], entry
    assert entry["00080061"]["Value"] == [first.Modality], entry

    for found in (
        client.search_for_series(study),
        client.search_for_series(search_filters={"SeriesInstanceUID": series}),
        client.search_for_series(study, search_filters={"Modality": first.Modality}),
    ):
        assert values(found, "0020000E") == [series], found
        assert values(found, "00201209") == [len(sent)], found
    uids = sorted(item.SOPInstanceUID for item in sent)
    for found in (
        client.search_for_instances(study, series),
        client.search_for_instances(study),
        client.search_for_instances(search_filters={"StudyInstanceUID": study}),
    ):
        assert sorted(values(found, "00080018")) == uids, found
    one = client.search_for_instances(search_filters={"SOPInstanceUID": instance}, fields=["all"])
    assert values(one, "00080018") == [instance] and "00280030" in one[0], one
    assert "7FE00010" not in one[0] or "InlineBinary" not in one[0]["7FE00010"], "pixel data is inline"


def metadata():
    for found in (
        client.retrieve_study_metadata(study),
        client.retrieve_series_metadata(study, series),
    ):
        assert len(found) == len(sent)
    found = client.retrieve_instance_metadata(study, series, instance)
    read = pydicom.Dataset.from_json(found, bulk_data_uri_handler=lambda uri: None)
    for keyword in ("PatientName", "PatientID", "Rows", "Columns", "PixelSpacing", "ImagePositionPatient", "RescaleSlope"):
        assert read[keyword].value == first[keyword].value, keyword
    uri = found["7FE00010"]["BulkDataURI"]
    assert uri.startswith("/dicom-web/"), uri
    bulk = client.retrieve_bulkdata(f"{url}{uri}")
    assert bulk == [first.PixelData], [len(part) for part in bulk]
    part = client.retrieve_bulkdata(f"{url}{uri}", byte_range=(10, 19))
    assert part == [first.PixelData[10:20]], part


def retrieve():
    for found in (
        client.retrieve_study(study),
        client.retrieve_series(study, series),
        list(client.iter_series(study, series)),
        client.retrieve_series(study, series, media_types=(("application/dicom", "*"),)),
    ):
        assert sorted(item.SOPInstanceUID for item in found) == sorted(item.SOPInstanceUID for item in sent)
    for media_types in (None, (("application/dicom", "*"),), (("application/dicom", "1.2.840.10008.1.2.1"),)):
        found = client.retrieve_instance(study, series, instance, media_types=media_types)
        assert found.PixelData == first.PixelData
        assert found == first, "elements differ"
    for media_types in (None, ("application/octet-stream",), (("application/octet-stream", "*"),)):
        frames = client.retrieve_instance_frames(study, series, instance, [1], media_types=media_types)
        assert frames == [first.PixelData], (media_types, [len(frame) for frame in frames])
    assert list(client.iter_instance_frames(study, series, instance, [1])) == [first.PixelData]
    try:
        client.retrieve_instance_frames(study, series, instance, [2])
        raise AssertionError("frame 2 of 1")
    except HTTPError as error:
        assert error.response.status_code == 404
        assert error.response.headers["Content-Type"] == "application/problem+json"


def rendered():
    # The same window by numpy, from the values themselves.
    hounsfield = first.pixel_array.astype(float) * float(first.RescaleSlope) + float(first.RescaleIntercept)
    expected = numpy.clip((hounsfield - (40 - 0.5)) / (400 - 1) + 0.5, 0, 1) * 255
    for media, exact in (("image/png", True), ("image/gif", True), ("image/jpeg", False)):
        body = client.retrieve_instance_rendered(study, series, instance, media_types=(media,), params={"window": "40,400,linear"})
        picture = numpy.asarray(Image.open(io.BytesIO(body)).convert("L"), dtype=float)
        worst = numpy.abs(picture - expected).max() if exact else numpy.abs(picture - expected).mean()
        assert worst <= (1.0 if exact else 8.0), (media, worst)
    body = client.retrieve_instance_frames_rendered(study, series, instance, [1], media_types=("image/jpeg",), params={"quality": "50"})
    assert Image.open(io.BytesIO(body)).size == (first.Columns, first.Rows)
    body = client.retrieve_series_rendered(study, series, media_types=("image/png",), params={"viewport": "32,16"})
    assert Image.open(io.BytesIO(body)).size[1] == 16
    for path in (f"studies/{study}", f"studies/{study}/series/{series}", f"studies/{study}/series/{series}/instances/{instance}"):
        answer = session.get(f"{url}/dicom-web/{path}/thumbnail?viewport=64%2C64", headers={"Accept": "image/jpeg"})
        assert answer.status_code == 200 and Image.open(io.BytesIO(answer.content)).size == (64, 64), answer.text[:200]


def store():
    copies = []
    for item in sent[:3]:
        copy = pydicom.dcmread(io.BytesIO(as_bytes(item)))
        copy.SOPInstanceUID = copy.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        copy.SeriesInstanceUID = f"{series}.7"
        copies.append(copy)
    answer = client.store_instances(copies)
    stored = [item.ReferencedSOPInstanceUID for item in answer.ReferencedSOPSequence]
    assert stored == [copy.SOPInstanceUID for copy in copies], answer
    assert "FailedSOPSequence" not in answer
    back = client.retrieve_series(study, f"{series}.7")
    assert sorted(item.SOPInstanceUID for item in back) == sorted(stored)
    assert client.store_instances(copies, study_instance_uid=study).ReferencedSOPSequence, "a second time is no error"
    try:
        client.store_instances(copies[:1], study_instance_uid=generate_uid())
        raise AssertionError("stored into another study")
    except HTTPError as error:
        assert error.response.status_code == 409, error.response.status_code
        assert "00081198" in error.response.json()


def looked_up():
    """A VOI LUT and an overlay, as an object of its own has them."""
    item = pydicom.dcmread(io.BytesIO(as_bytes(first)))
    item.SOPInstanceUID = item.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    item.SeriesInstanceUID = f"{series}.8"
    table = pydicom.Dataset()
    table.add_new("LUTDescriptor", "SS", [2, 0, 8])
    table.add_new("LUTData", "OW", bytes([0x20, 0, 0xE0, 0]))
    item.VOILUTSequence = [table]
    for element, vr, value in (
        (0x0010, "US", 2), (0x0011, "US", 3), (0x0040, "CS", "G"), (0x0050, "SS", [5, 7]),
        (0x0100, "US", 1), (0x0102, "US", 0), (0x3000, "OW", bytes([0x3F, 0])),
    ):
        item.add_new((0x6000, element), vr, value)
    client.store_instances([item])
    body = client.retrieve_instance_rendered(study, f"{series}.8", item.SOPInstanceUID, media_types=("image/png",))
    shown = numpy.asarray(Image.open(io.BytesIO(body)).convert("L"))
    hounsfield = first.pixel_array.astype(float) * float(first.RescaleSlope) + float(first.RescaleIntercept)
    expected = numpy.where(hounsfield < 0.5, 0x20, 0xE0)
    expected[4:6, 6:9] = 255
    assert (shown == expected).all(), numpy.argwhere(shown != expected)[:5]
    part = client.retrieve_instance_rendered(
        study, f"{series}.8", item.SOPInstanceUID, media_types=("image/png",), params={"viewport": "3,2,6,4,3,2"}
    )
    assert (numpy.asarray(Image.open(io.BytesIO(part)).convert("L")) == 255).all(), "the part of the overlay alone"


def as_bytes(item):
    buffer = io.BytesIO()
    item.save_as(buffer, enforce_file_format=True)
    return buffer.getvalue()


assert first.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
for step in (search, metadata, retrieve, rendered, store, looked_up):
    step()
print(json.dumps({"routes": routes}))
