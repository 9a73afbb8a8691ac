"""One radiograph's answer in the form that was asked for: what the API and `screening export` call."""

from datetime import datetime

from schemas.bundle import BundleManifest
from schemas.heatmap import HeatmapKind
from schemas.reasons import Outcome
from screening.errors import OutputRefused
from screening.on_demand.scored import Scored
from serve.outputs.findings import named, refusal_in_words
from serve.outputs.form import Form
from serve.outputs.source import read_source


def render(
    form: Form | str,
    source: bytes,
    scored: Scored,
    bundle: BundleManifest,
    when: datetime | None = None,
    heatmap: HeatmapKind | None = None,
) -> tuple[str, bytes]:
    """Return the media type and the bytes of an answer in a form.

    Args:
        form: sr, seg, sc or fhir.
        source: the file that was judged, as the archive has it; patient and study come from there.
        scored: the answer; SEG needs its lung mask, SC its pixels and a heatmap.
        bundle: the manifest of the bundle that answered, with the operating points that it answered by.
        when: the time, with its zone, that the object bears; now, where it is not given. The same arguments with the same time give
            the same bytes, and the UIDs are the same at any time.
        heatmap: covid or pneumonia, which SC shows; None takes covid where there is one.

    Raises:
        OutputRefused: the source does not say whose it is, or has not what the form needs; the message names the file and the remedy.
        ValueError: there is no such form.
    """
    form, when = Form(form), when or datetime.now().astimezone()
    if form is Form.FHIR:
        from serve.outputs.fhir import fhir_bundle  # here and below, because the libraries of the forms take a second or two to load

        return form.media_type, fhir_bundle(source, scored, bundle, when)
    image = read_source(source, named(scored.answer))
    if form is Form.SR:
        from serve.outputs.structured_report import structured_report

        return form.media_type, structured_report(image, scored, bundle, when)
    if scored.answer.outcome != Outcome.SCORED:
        why = refusal_in_words(scored.answer)
        raise OutputRefused(f"{named(scored.answer)} has no picture to show. {why}. Ask for the form sr, which says so")
    if form is Form.SEG:
        from serve.outputs.segmentation import segmentation

        return form.media_type, segmentation(image, scored, bundle, when)
    from serve.outputs.secondary_capture import secondary_capture

    return form.media_type, secondary_capture(image, scored, bundle, when, heatmap)
