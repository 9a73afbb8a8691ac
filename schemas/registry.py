"""An entry of the registry beside the results (`registry/entry-<number>.json`): which bundle was made known or promoted, by whom and why."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from schemas.bundle import DIGEST_LENGTH, FrozenModel, OperatingPoint, SitePoints

Action = Literal["register", "promote", "rollback"]


class RegistryEntry(FrozenModel):
    """What one person did at one time. Entries are only ever added, so together they are the history."""

    number: int = Field(ge=1, description="place in the history, without gaps")
    action: Action = Field(description="rollback makes the bundle judge again that did so before the last promotion")
    bundle_digest: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the bundle with these operating points")
    bundle_name: str
    bundle_url: str = Field(description="folder of the bundle, from wherever a run is started")
    operating_points: dict[Literal["pneumonia", "covid"], OperatingPoint] = Field(description="those that judge, of every stage")
    sites: dict[str, SitePoints] = Field(default_factory=dict, description="InstitutionName → what judges the images of that site alone")
    who: str = Field(min_length=1)
    when: datetime
    why: str = Field(min_length=1)

    def __str__(self) -> str:
        return f"{self.bundle_name} {self.bundle_digest[:DIGEST_LENGTH]} (entry {self.number} of the registry)"
