"""Sites file: the texts of headers that an agency lets stand in its rows. CSV, one text a line."""

SITES_COLUMNS = ("attribute", "value", "shown_as")  # a DICOM keyword; the text in headers; what rows hold, the text itself where empty

# free text (LO): anybody may have typed a patient's name there
TEXT_ATTRIBUTES = ("InstitutionName", "Manufacturer", "ManufacturerModelName")
# coded strings (CS), of which DICOM defines the terms; writers put other texts there all the same
CODE_ATTRIBUTES = ("Modality", "BodyPartExamined", "ViewPosition", "PhotometricInterpretation")
