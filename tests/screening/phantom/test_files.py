"""A phantom stored in any of the ways of the field comes back as the same picture."""

import io
from collections import Counter

import numpy as np
import pydicom
import pytest
from pydicom.pixels import apply_modality_lut, apply_voi_lut

from screening.dicom.writer import TRANSFER_SYNTAXES
from screening.phantom.files import GREY_SCALES, Storage, attributes_of, storage_of, store_pixels, to_dicom
from screening.phantom.people import plan_studies
from screening.phantom.radiograph import make_phantom
from tests.dicom_files import dciodvfy_errors, decode

STUDIES = plan_studies(400, 3)


def test_every_transfer_syntax_and_grey_scale_is_met():
    chosen = [storage_of(study) for study in STUDIES]
    assert {storage.transfer_syntax for storage in chosen[:16]} == set(TRANSFER_SYNTAXES)
    assert {storage.grey_scale for storage in chosen} == set(GREY_SCALES)
    assert {storage.bits_stored for storage in chosen} == {8, 10, 12, 14, 16}
    assert {(storage.modality, storage.inverse) for storage in chosen} == {
        (name, value) for name in ("CR", "DX") for value in (True, False)
    }
    assert Counter(storage.transfer_syntax for storage in chosen).most_common(1)[0][0] == "explicit_little_endian"


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("grey_scale", sorted(set(GREY_SCALES)))
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_the_header_shows_the_picture_again(grey_scale, bits, inverse):
    if grey_scale == "signed" and bits == 8:
        grey_scale = "window"
    image = np.linspace(0, 1, 64 * 50, dtype=np.float32).reshape(64, 50)
    pixels, coding = store_pixels(image, Storage("CR", "explicit_little_endian", bits, inverse, grey_scale), False)
    study, phantom = STUDIES[0], make_phantom(0, "normal", size=(64, 64))
    header = pydicom.dcmread(io.BytesIO(to_dicom(study, phantom, Storage("CR", "explicit_little_endian", bits, inverse, grey_scale))[0]))
    shown = apply_voi_lut(apply_modality_lut(pixels, header), header).astype(float)
    shown = (shown - shown.min()) / (shown.max() - shown.min())
    assert header.PhotometricInterpretation == coding.PhotometricInterpretation == ("MONOCHROME1" if inverse else "MONOCHROME2")
    shown = 1 - shown if inverse else shown
    assert np.corrcoef(shown.ravel(), image.ravel())[0, 1] > 0.98
    if grey_scale in ("window", "none", "linear_exact", "signed", "rescaled", "modality_lut"):
        np.testing.assert_allclose(shown, image, atol=0.02)


@pytest.mark.parametrize("number", range(0, 40, 3))
def test_studies_are_valid_and_decodable(number, tmp_path):
    study = STUDIES[number]
    storage = storage_of(study)
    phantom = make_phantom(study.seed, study.person.finding, size=(128, 110), site=study.person.site)
    data, attributes = to_dicom(study, phantom)
    assert data == to_dicom(study, phantom)[0]
    header = pydicom.dcmread(io.BytesIO(data))
    assert (header.PatientID, header.SOPInstanceUID) == (study.person.patient_id, attributes.SOPInstanceUID)
    assert header.file_meta.TransferSyntaxUID == TRANSFER_SYNTAXES[storage.transfer_syntax].uid
    assert decode(data).shape == (128, 110)
    assert dciodvfy_errors(data, tmp_path) == []


def test_birth_date_agrees_with_age():
    phantom = make_phantom(0, "normal", size=(64, 64), age_years=60.0)
    headers = [attributes_of(study, phantom, "CR") for study in STUDIES]
    known = [header for header in headers if header.PatientBirthDate]
    assert 0 < len(known) < len(headers)
    for header in known:
        assert (int(header.StudyDate) - int(header.PatientBirthDate)) // 10000 == 60
