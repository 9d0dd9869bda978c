"""What every section of the configuration has: frozen typed settings, strict keys, an identity without `runtime`."""

import typing
from typing import Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from refocus.core.files import canonical, digest


class Strict(BaseModel):
    """Frozen settings that refuse unknown keys, infinite numbers, and true or false for a number.

    Every field has a default and a one-line description. Text that spells a number is one: YAML 1.1 reads 1e-5 as text.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_values(cls, value: Any, info: ValidationInfo) -> Any:
        annotation = cls.model_fields[info.field_name].annotation if info.field_name else None
        kinds = {annotation, *typing.get_args(annotation)}
        if isinstance(value, bool) and kinds & {int, float} and bool not in kinds:
            raise ValueError(f"a number is wanted, not {str(value).lower()}")
        return value


class Runtime(Strict):
    """How a stage runs (device, workers, memory, logging): never part of what its result is."""


class TorchRuntime(Runtime):
    """How a stage runs that computes with torch."""

    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="where the models run; auto: a GPU if there is one, else the CPU"
    )
    threads: int = Field(
        1, ge=1, description="torch CPU threads per process; more than there are free cores is far slower than one"
    )


class LmmRuntime(TorchRuntime):
    """How a stage runs that asks a video-LMM."""

    batch_tokens: int | None = Field(
        None, ge=1, description="tokens the LMM takes at once, at most; null: as many as free memory allows"
    )


class Section(Strict):
    """One stage's settings. A field `runtime` holds a `Runtime` and enters neither `identity` nor fingerprints.

    added_later: settings younger than the first runs. They are part of the identity where they are used only, so that a
    new setting makes nobody's finished result another one.
    """

    added_later: ClassVar[tuple[str, ...]] = ()

    def identity(self) -> dict[str, Any]:
        """The settings that decide the result, as plain JSON values."""
        unused = {name for name in self.added_later if getattr(self, name) == type(self).model_fields[name].default}
        return self.model_dump(mode="json", exclude={"runtime", *unused})

    def canonical(self) -> str:
        """The identity as sorted JSON: what a Snakemake rule passes and tracks as its one parameter."""
        return canonical(self.identity())

    def fingerprint(self) -> str:
        """12 hex digits that change when, and only when, the identity changes."""
        return digest(self.identity())
