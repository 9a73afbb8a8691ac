"""What a server can be told, and the messages of its API that are no answers."""

from typing import Literal

from pydantic import BaseModel, Field, model_validator

from schemas.bundle import FrozenModel


class ServiceSettings(FrozenModel):
    """Everything that `screening serve` and `serve/config.yaml` can say."""

    bundle: str = Field(description="folder of the bundle, or a file that names it and may be changed while the server runs")
    operating_points: str | None = Field(
        None,
        description="file that `screening thresholds --save` wrote for the bundle in that folder, read when a process of the server starts; "
        "without one, the bundle's own judge; a file that names the bundle holds them itself",
    )
    results: str | None = Field(None, description="results folder of the nights; without one, only what is handed in can be asked about")
    tokens: str | None = Field(None, description="file that `screening token create` writes")
    open: bool = Field(False, description="let everybody in who reaches the port: for one's own machine only")
    pseudonym_key: str | None = Field(
        None, description="file with the key of the pseudonyms; without one, answers have no patient_pseudonym"
    )
    sites_file: str | None = Field(
        None,
        description="file that `screening run` is given with --sites, read when a process of the server starts; without one, answers name "
        "every site by its pseudonym",
    )
    log: str | None = Field(
        None, description="folder of each machine for the access log and the log of errors; without one, they go to Ray's own"
    )
    device: Literal["auto", "cpu", "cuda"] = "auto"
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    replicas: int = Field(1, ge=1, description="cascade replicas at least, each with all three networks")
    max_replicas: int | None = Field(None, ge=1, description="replicas at most, as requests demand them; none are added without it")
    cpus_per_replica: int | None = Field(None, ge=1, description="cores of each; all of the machine's without it")
    gpus_per_replica: float = Field(0.0, ge=0)
    decoders: int = Field(2, ge=1, description="processes that decode, in each gateway")
    queue: int = Field(64, ge=1, description="requests that may wait or be worked on at once; more are told to come back")
    request_seconds: float = Field(60.0, gt=0, description="an answer that takes longer is given up")
    decode_seconds: float = Field(20.0, gt=0, description="a file that takes longer to decode is refused")
    max_file_bytes: int = Field(64 * 2**20, gt=0)
    max_request_bytes: int = Field(128 * 2**20, gt=0)
    max_files: int = Field(16, ge=1, description="files in one request")
    blind: bool = Field(True, description="who may review sees the scores of an image only after they have recorded their reading")

    @model_validator(mode="after")
    def _guarded(self) -> "ServiceSettings":
        if self.open == (self.tokens is not None):
            raise ValueError("give a file of tokens, or open the server to everybody who reaches it, and not both")
        if self.sites_file is not None and self.pseudonym_key is None:
            raise ValueError("a sites file goes with the pseudonym key: without one, answers name no site. Give the key of the nights")
        return self


class Problem(BaseModel):
    """Why a request was not carried out (RFC 9457, application/problem+json)."""

    type: str = Field("about:blank", description="about:blank: the status says it all")
    title: str = Field(description="the phrase of the status code")
    status: int
    detail: str = Field(description="what is wrong with the request, and the remedy")


class BundleInUse(BaseModel):
    """The bundle that answers now."""

    name: str
    digest: str = Field(description="of the bundle with the operating points that judge, 64 hex digits")
    pneumonia_threshold: float = Field(description="for the images of every site that has none of its own")
    covid_threshold: float = Field(description="for the images of every site that has none of its own")
    min_age_years: float = Field(description="younger patients are refused")
    device: str
    dtype: str
    license: str


class NewBundle(FrozenModel):
    """Which bundle is to answer from now on, at its own operating points."""

    bundle_url: str = Field(min_length=1, max_length=2000, pattern=r"^[^\x00-\x1f]+$", description="folder of the bundle, any fsspec URL")
