"""Reads result objects the way a research group would, with highdicom and pydicom, and prints what they say as JSON.

usage: read_results.py OBJECT...

Nothing here knows how the box writes: numbers come out of the SR's content tree, lesions and tissue out of the SEG's
pixels by way of the source images each frame names, maps out of the Parametric Map's floats.
"""

import json
import sys

import highdicom as hd
import numpy as np
import pydicom
from highdicom.sr.utils import find_content_items
from highdicom.sr.enum import ValueTypeValues
from pydicom.sr.coding import Code


def named(dataset, code, kind, recursive=True):
    """Content items of one concept."""
    return find_content_items(dataset, name=code, value_type=kind, recursive=recursive)


def value(item):
    return float(item.MeasuredValueSequence[0].NumericValue)


def only(items):
    assert len(items) <= 1, "a number stands twice"
    return value(items[0]) if items else None


SCORE = Code("450360000", "SCT", "Coronary artery calcium score")
VOLUME = Code("122660", "DCM", "Calcium Volume")
MASS = Code("122661", "DCM", "Calcium Mass")
CALIBRATION = Code("122659", "DCM", "Calcium Scoring Calibration")
THRESHOLD = Code("122657", "DCM", "Agatston Score Threshold")
SITE = Code("363698007", "SCT", "Finding Site")
CORONARY = "41801008"
CALCIUM = Code("122603", "DCM", "Calcium Scoring Analysis")
LESION = Code("125007", "DCM", "Measurement Group")
COMMENT = Code("121106", "DCM", "Comment")
NUM, TEXT, CONTAINER = ValueTypeValues.NUM, ValueTypeValues.TEXT, ValueTypeValues.CONTAINER


def site(item):
    """Code of the place an item is about."""
    found = [
        child.ConceptCodeSequence[0].CodeValue
        for child in item.get("ContentSequence", [])
        if child.ConceptNameCodeSequence[0].CodeValue == SITE.value
    ]
    return found[0] if found else None


def by_site(items):
    """Values by the place they are about; each place once."""
    values = {site(item): value(item) for item in items}
    assert len(values) == len(items), "two numbers of one place"
    return values


def template(item):
    claims = item.get("ContentTemplateSequence", [])
    return claims[0].TemplateIdentifier if claims else None
MEASUREMENTS = Code("126010", "DCM", "Imaging Measurements")
GROUP_VOLUME = Code("118565006", "SCT", "Volume")
TRACKING = Code("112039", "DCM", "Tracking Identifier")


def report(path):
    """What a structured report says."""
    if pydicom.dcmread(path, specific_tags=["SOPClassUID"]).SOPClassUID == pydicom.uid.MammographyCADSRStorage:
        # highdicom reads no CAD documents.
        document = pydicom.dcmread(path)
        said = cad_report(document)
    else:
        document = hd.sr.srread(path)
        said = calcium_report(document) if named(document, CALCIUM, CONTAINER) else measurement_report(document)
    observers = document.get("VerifyingObserverSequence", [])
    predecessors = document.get("PredecessorDocumentsSequence", [])
    return said | {
        "kind": "SR",
        "sop": document.SOPInstanceUID,
        "completion": document.CompletionFlag,
        "verification": document.VerificationFlag,
        "verified_by": [str(observer.VerifyingObserverName) for observer in observers],
        "predecessors": [
            instance.ReferencedSOPInstanceUID
            for study in predecessors
            for series in study.ReferencedSeriesSequence
            for instance in series.ReferencedSOPSequence
        ],
    }


def measurement_report(document):
    """TID 1500: the numbers of each measurement group by its tracking identifier; volumes of tissue once more by name."""
    volumes, measured = {}, {}
    for group in (group for found in named(document, MEASUREMENTS, CONTAINER) for group in named(found, LESION, CONTAINER)):
        (name,) = named(group, TRACKING, TEXT, recursive=False)
        volumes[name.TextValue] = only(named(group, GROUP_VOLUME, NUM, recursive=False))
        numbers = [item for item in group.ContentSequence if item.ValueType == "NUM"]
        measured[name.TextValue] = {quantity(item): value(item) for item in numbers}
        assert len(measured[name.TextValue]) == len(numbers), "two numbers of one quantity"
    return {
        "volumes": volumes,
        "measured": measured,
        "templates": [template(document)],
        "comments": [item.TextValue for item in named(document, COMMENT, TEXT)],
    }


def concept(item):
    """Code of an item's name; references and images of a library have none."""
    names = item.get("ConceptNameCodeSequence", [])
    return names[0].CodeValue if names else None


def coded(item):
    return item.ConceptCodeSequence[0].CodeValue


def below(item, code=None):
    """Items right below, of one concept."""
    return [child for child in item.get("ContentSequence", []) if code is None or concept(child) == code]


def everything(item):
    for child in item.get("ContentSequence", []):
        yield child
        yield from everything(child)


def pointed_at(document, reference):
    """The item at a place: positions from the root down, each from 1."""
    assert reference.ReferencedContentItemIdentifier[0] == 1
    item = document
    for position in reference.ReferencedContentItemIdentifier[1:]:
        item = item.ContentSequence[position - 1]
    return item.ReferencedSOPSequence[0].ReferencedSOPInstanceUID


def cad_report(document):
    """TID 4000: marks with their images, by way of the report's library; which detections ran on which images."""
    marks = []
    for item in everything(document):
        if concept(item) == "111059":
            (center,), (certainty,) = below(item, "111010"), below(item, "111012")
            (image,) = center.ContentSequence
            marks.append({
                "finding": coded(item),
                "at": [float(number) for number in center.GraphicData],
                "image": pointed_at(document, image),
                "certainty": value(certainty),
            })
    detections = {}
    for item in below(document, "111064"):
        for group in below(item):
            images = {pointed_at(document, one) for performed in below(group) for one in below(performed) if "ReferencedContentItemIdentifier" in one}
            detections[concept(group)] = sorted(images)
    (library,) = below(document, "111028")
    return {
        "marks": marks,
        "detections": detections,
        "library": {
            image.ReferencedSOPSequence[0].ReferencedSOPInstanceUID: {concept(one): coded(one) for one in below(image) if one.ValueType == "CODE"}
            for image in below(library)
        },
        "summary": [coded(item) for item in below(document, "111017")],
        "concepts": sorted({concept(item) for item in everything(document) if concept(item)}),
        "templates": [template(document)],
        "comments": [item.TextValue for item in everything(document) if concept(item) == "121106"],
    }


def quantity(item):
    """What a number is: its concept's code and unit, and what it is indexed by."""
    unit = item.MeasuredValueSequence[0].MeasurementUnitsCodeSequence[0].CodeValue
    index = [
        child.ConceptCodeSequence[0].CodeValue
        for child in item.get("ContentSequence", [])
        if child.ConceptNameCodeSequence[0].CodeValue == "121425"
    ]
    return " ".join([item.ConceptNameCodeSequence[0].CodeValue, unit, *(f"by {code}" for code in index)])


def calcium_report(document):
    (calcium,) = named(document, CALCIUM, CONTAINER)
    lesions = [
        {
            "agatston": only(named(lesion, SCORE, NUM, recursive=False)),
            "site": site(lesion),
            "comments": [item.TextValue for item in named(lesion, COMMENT, TEXT, recursive=False)],
            "volume": value(named(lesion, VOLUME, NUM, recursive=False)[0]),
        }
        for lesion in named(calcium, LESION, CONTAINER, recursive=False)
    ]
    scores = by_site(named(calcium, SCORE, NUM, recursive=False))
    volumes = by_site(named(calcium, VOLUME, NUM, recursive=False))
    masses = by_site(named(calcium, MASS, NUM, recursive=False))
    return {
        # A report that takes another one back has no numbers.
        "agatston": scores.pop(CORONARY, None),
        "volume": volumes.pop(CORONARY, None),
        "mass": masses.pop(CORONARY, None),
        "vessels": scores,
        "threshold": only(named(calcium, THRESHOLD, NUM, recursive=False)),
        "calibration": [item.TextValue for item in named(calcium, CALIBRATION, TEXT, recursive=False)],
        "templates": [template(document), template(calcium)],
        "comments": [item.TextValue for item in named(calcium, COMMENT, TEXT, recursive=False)],
        "lesions": lesions,
    }


def segmentation(path):
    """Each segment's pixels as runs [row, first column, length] by source image."""
    segments = hd.seg.segread(path)
    sources = [uid for (_, _, uid) in segments.get_source_image_uids()]
    found = {}
    for number in segments.segment_numbers:
        pixels = segments.get_pixels_by_source_instance(
            sources, segment_numbers=[number], assert_missing_frames_are_empty=True
        )
        by_image = {uid: runs(plane) for uid, plane in zip(sources, pixels[..., 0]) if plane.any()}
        found[int(number)] = by_image
    # A run is counted by its length.
    voxels = {number: sum(run[2] for plane in planes.values() for run in plane) for number, planes in found.items()}
    return {"kind": "SEG", "sop": segments.SOPInstanceUID, "segments": found, "voxels": voxels}


def parametric_map(path):
    """What a map's numbers mean, how many voxels have one, and their sum."""
    maps = hd.imread(path)
    (shared,) = maps.SharedFunctionalGroupsSequence
    (mapping,) = shared.RealWorldValueMappingSequence
    stored = maps.get_frames(apply_real_world_transform=False)
    values = stored[stored != maps.FloatPixelPaddingValue].astype(np.float64)
    low, high = mapping.DoubleFloatRealWorldValueFirstValueMapped, mapping.DoubleFloatRealWorldValueLastValueMapped
    assert low <= values.min() and values.max() <= high, "a value outside the mapped range"
    return {
        "kind": "PM",
        "sop": maps.SOPInstanceUID,
        "label": maps.ContentLabel,
        "unit": mapping.MeasurementUnitsCodeSequence[0].CodeValue,
        "quantity": mapping.QuantityDefinitionSequence[0].ConceptCodeSequence[0].CodeValue,
        "values": int(values.size),
        "sum": float(values.sum()),
    }


def runs(plane):
    """Runs of set pixels, row by row."""
    found = []
    for row in np.flatnonzero(plane.any(axis=1)):
        edges = np.flatnonzero(np.diff(np.concatenate(([0], plane[row] > 0, [0]))))
        found += [[int(row), int(a), int(b - a)] for a, b in zip(edges[::2], edges[1::2])]
    return found


def other(path):
    """Pictures and pages: what pydicom makes of them."""
    dataset = pydicom.dcmread(path)
    said = {"kind": dataset.Modality, "sop": dataset.SOPInstanceUID, "burned_in": dataset.BurnedInAnnotation}
    if "PixelData" in dataset:
        said["shape"] = list(dataset.pixel_array.shape)
    if "EncapsulatedDocument" in dataset:
        said["document_begins"] = dataset.EncapsulatedDocument[:5].decode("ascii")
    return said


def read(path):
    dataset = pydicom.dcmread(path, stop_before_pixels=True)
    pydicom.config.settings.reading_validation_mode = pydicom.config.RAISE
    reader = {"SR": report, "SEG": segmentation}.get(dataset.Modality, other)
    said = (parametric_map if dataset.SOPClassUID == pydicom.uid.ParametricMapStorage else reader)(path)
    said["patient"] = str(dataset.PatientName)
    said["study"] = dataset.StudyInstanceUID
    said["path"] = path
    return said


print(json.dumps([read(path) for path in sys.argv[1:]]))
