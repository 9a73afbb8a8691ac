"""PNG and JPEG files become valid DICOM files that hold the same pixels."""

import csv
import io
from datetime import date, timedelta

import imagecodecs
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.encaps import generate_frames

from screening.dicom.wrap import DicomizeError, dicomize, is_grayscale_baseline, made_up_date, wrap_image
from screening.errors import UsageError
from screening.storage import put_atomic
from tests.dicom_files import dciodvfy_errors, decode, picture, study
from tests.real_data import cxr_folder
from tests.told import Told

COLUMNS = ["image_id", "image", "patient_id", "source", "view", "sex", "age", "offset_days", "license"]


def coded(pixels, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, kind, **options)
    return buffer.getvalue()


def write_table(folder, rows, columns=COLUMNS):
    with (folder / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(rows)
    return str(folder / "labels.csv")


def test_a_grayscale_baseline_stream_is_kept(tmp_path):
    stream = coded(picture(8), "JPEG", quality=80)
    data, kept = wrap_image(stream, study())
    dataset = pydicom.dcmread(io.BytesIO(data))
    assert kept
    assert dataset.file_meta.TransferSyntaxUID == pydicom.uid.JPEGBaseline8Bit
    assert next(generate_frames(dataset.PixelData, number_of_frames=1))[: len(stream)] == stream
    assert (dataset.LossyImageCompression, dataset.LossyImageCompressionMethod) == ("01", "ISO_10918_1")
    assert dciodvfy_errors(data, tmp_path) == []


def test_a_picture_that_exif_turns_is_stored_upright():
    pixels, turned = picture(8), Image.Exif()
    turned[0x0112] = 6
    for kind, largest in (("JPEG", 6), ("PNG", 0)):
        data, kept = wrap_image(coded(np.rot90(pixels), kind, exif=turned, **({"quality": 95} if kind == "JPEG" else {})), study())
        assert not kept
        assert np.abs(decode(data).astype(int) - pixels).max() <= largest


@pytest.mark.parametrize("options", [{"progressive": True}, {}])
def test_other_jpeg_streams_are_decoded(options, tmp_path):
    gray = picture(8)
    stream = coded(gray if options else np.dstack([gray] * 3), "JPEG", quality=90, **options)
    data, kept = wrap_image(stream, study())
    assert not kept
    assert np.abs(decode(data).astype(int) - gray).mean() < 2
    assert pydicom.dcmread(io.BytesIO(data)).LossyImageCompression == "01"
    assert dciodvfy_errors(data, tmp_path) == []


@pytest.mark.parametrize("bits", [8, 16])
def test_png_pixels_come_back(bits, tmp_path):
    pixels = picture(bits)
    data, kept = wrap_image(coded(pixels, "PNG"), study())
    assert not kept
    np.testing.assert_array_equal(decode(data), pixels)
    assert "LossyImageCompression" not in pydicom.dcmread(io.BytesIO(data))
    assert dciodvfy_errors(data, tmp_path) == []


@pytest.mark.parametrize("name", ["jpeg_2000_lossless", "rle", "jpeg_ls_lossless"])
def test_a_transfer_syntax_on_demand(name):
    pixels = picture(8)
    np.testing.assert_array_equal(decode(wrap_image(coded(pixels, "PNG"), study(), name)[0]), pixels)


def test_which_streams_may_be_kept():
    gray = picture(8)
    assert is_grayscale_baseline(coded(gray, "JPEG"))
    assert not is_grayscale_baseline(coded(gray, "JPEG", progressive=True))
    assert not is_grayscale_baseline(coded(np.dstack([gray] * 3), "JPEG"))
    assert not is_grayscale_baseline(imagecodecs.jpeg8_encode(picture(12), bitspersample=12))
    assert not is_grayscale_baseline(b"\xff\xd8\xff")


def test_rows_become_headers(tmp_path):
    (tmp_path / "a.png").write_bytes(coded(picture(8), "PNG"))
    rows = [
        ["one", "a.png", "p1", "Cohen & Co", "AP Supine", "m", "60.0", "4", "CC0"],
        ["two", "a.png", "p1", "Cohen & Co", "L", "", "50+", "6", ""],
        ["three", "a.png", "p2", "", "", "?", "", "", ""],
    ]
    summary = dicomize(write_table(tmp_path, rows), str(tmp_path / "out"))
    assert (summary.written, summary.kept_streams, summary.failures) == (3, 0, [])
    with (tmp_path / "out" / "labels.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["object"] for row in written] == ["archive/Cohen-Co/one.dcm", "archive/Cohen-Co/two.dcm", "archive/images/three.dcm"]
    one, two, three = (pydicom.dcmread(tmp_path / "out" / row["object"]) for row in written)
    assert [row["SOPInstanceUID"] for row in written] == [one.SOPInstanceUID, two.SOPInstanceUID, three.SOPInstanceUID]
    assert (one.PatientID, one.PatientSex, one.PatientAge, one.ViewPosition, one.InstitutionName) == ("p1", "M", "060Y", "AP", "Cohen & Co")
    assert one.ImageComments == "StudyDate is made up; view as given: AP Supine; licence: CC0"
    assert (two.ViewPosition, two.get("PatientAge")) == ("LL", None)
    assert "age as given: 50+" in two.ImageComments
    assert (three.PatientSex, three.ViewPosition) == ("", "")
    assert date.fromisoformat(two.StudyDate) - date.fromisoformat(one.StudyDate) == timedelta(days=2)
    assert one.StudyDate == made_up_date("p1", 4).strftime("%Y%m%d")
    assert (tmp_path / "out" / "sites.csv").read_text() == "attribute,value,shown_as\nInstitutionName,Cohen & Co,\n"


def test_a_second_run_writes_the_same_bytes(tmp_path):
    (tmp_path / "a.png").write_bytes(coded(picture(8), "PNG"))
    table = write_table(tmp_path, [["one", "a.png", "p", "s", "PA", "F", "30", "", ""]])
    for name in ("first", "second"):
        dicomize(table, str(tmp_path / name))
    assert (tmp_path / "first/archive/s/one.dcm").read_bytes() == (tmp_path / "second/archive/s/one.dcm").read_bytes()


def test_what_cannot_be_wrapped_is_named_and_the_rest_written(tmp_path):
    (tmp_path / "good.png").write_bytes(coded(picture(8), "PNG"))
    (tmp_path / "short.jpg").write_bytes(coded(picture(8), "JPEG")[:900])
    (tmp_path / "note.jpg").write_bytes(b"not an image")
    files = {"a": "gone.png", "b": "note.jpg", "c": "short.jpg", "d": "good.png", "e": ""}
    rows = [[name, file, "p", "s", "", "", "", "", ""] for name, file in files.items()]
    with pytest.raises(DicomizeError) as raised:
        dicomize(write_table(tmp_path, rows), str(tmp_path / "out"))
    assert raised.value.summary.written == 1
    lines = raised.value.summary.failures
    assert [line.split(",")[0] for line in lines] == ["line 2", "line 3", "line 4", "line 6"]
    assert ["gone.png" in lines[0], "note.jpg" in lines[1], "short.jpg" in lines[2], "no image is named" in lines[3]] == [True] * 4
    assert "gone.png" in str(raised.value)
    assert [path.name for path in (tmp_path / "out").rglob("*.dcm")] == ["d.dcm"]
    with (tmp_path / "out" / "labels.csv").open() as file:
        assert [row["image_id"] for row in csv.DictReader(file)] == ["d"]


def test_tables_that_cannot_be_used(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        dicomize(str(tmp_path / "none.csv"), str(tmp_path / "out"))
    with pytest.raises(UsageError, match="lacks the column patient_id"):
        dicomize(write_table(tmp_path, [["a", "b"]], ["image_id", "image"]), str(tmp_path / "out"))
    with pytest.raises(UsageError, match="twice"):
        dicomize(write_table(tmp_path, [["a", "b", "c"]] * 2, COLUMNS[:3]), str(tmp_path / "out"))
    with pytest.raises(UsageError, match="transfer syntax"):
        dicomize(write_table(tmp_path, [["a", "b", "c"]], COLUMNS[:3]), str(tmp_path / "out"), transfer_syntax="gif")


def test_real_radiographs(tmp_path):
    folder = cxr_folder()
    summary = dicomize(str(folder / "labels.csv"), str(tmp_path), limit=12)
    assert (summary.written, summary.kept_streams) == (12, 12)
    with (tmp_path / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        data = (tmp_path / row["object"]).read_bytes()
        assert [line for line in dciodvfy_errors(data, tmp_path) if "Error" in line] == []
        theirs = np.asarray(Image.open(folder / row["image"]))
        assert np.abs(decode(data).astype(int) - theirs).max() <= 1
        assert pydicom.dcmread(io.BytesIO(data)).PatientID == row["patient_id"]


@pytest.mark.parametrize("form", ["absolute path", "file://", "memory://"])
def test_absolute_paths_and_urls_are_taken_as_they_are(form: str, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    png = coded(picture(8), "PNG")
    (elsewhere / "a.png").write_bytes(png)
    (tmp_path / "b.png").write_bytes(png)
    put_atomic("memory://elsewhere/a.png", png)
    image = {"absolute path": str(elsewhere / "a.png"), "file://": f"file://{elsewhere}/a.png", "memory://": "memory://elsewhere/a.png"}
    table = write_table(tmp_path, [["a", image[form], "p"], ["b", "b.png", "p"]], COLUMNS[:3])
    told = Told()
    summary = dicomize(table, str(tmp_path / "out"), on_progress=told)
    assert summary.written == 2
    assert told.said == [("wrapping images", 0, 2), ("wrapping images", 2, 2)]
    for name in ("a", "b"):
        np.testing.assert_array_equal(decode((tmp_path / f"out/archive/images/{name}.dcm").read_bytes()), picture(8))
