"""What the rules pass from the configuration to the commands, as text that a reader can print and compare."""

from refocus.config.base import Section
from refocus.config.root import Root
from refocus.config.variants import to_json, variants
from refocus.core.errors import UsageError
from refocus.core.files import canonical

RUN_SECTIONS = ("train", "policy")
MODELS = ("lmms", "scorers")


def rule_parameter(root: Root, name: str) -> str:
    """The JSON that a rule passes, and that Snakemake compares with the last run's.

    Args:
        name: a stage's section (`reward`), an entry of `lmms` or `scorers` (`lmms.tiny`), a run's settings
            (`runs.demo.train`, `runs.demo.policy`), a source's options (`datasets.nextqa.adapter_options`), `variants`,
            or `likelihood.sampling`.
    Raises:
        UsageError: no rule passes such a thing.
    """
    section, _, rest = name.partition(".")
    entry, _, part = rest.partition(".")
    if name == "variants":
        return to_json(variants(root))
    if name == "decode":
        return root.decode.compared()
    if name == "likelihood.sampling":
        return root.likelihood.sampling()
    if section in MODELS and entry in getattr(root, section) and not part:
        return getattr(root, section)[entry].canonical()
    if section == "runs" and entry in root.runs and part in RUN_SECTIONS:
        return (root.run_train if part == "train" else root.run_policy)(entry).canonical()
    if section in ("datasets", "benchmarks") and entry in getattr(root, section) and part == "adapter_options":
        return canonical(root.source(entry).adapter_options)
    stage = getattr(root, section, None) if section in Root.model_fields else None
    if isinstance(stage, Section) and name == section:
        return stage.canonical()
    raise UsageError(f"--section: the rules pass no '{name}'; there are {', '.join(names(root))}")


def names(root: Root) -> list[str]:
    """Every name that `rule_parameter` knows in a configuration."""
    sources = [f"{kind}.{name}" for kind in ("datasets", "benchmarks") for name in getattr(root, kind)]
    return [
        *(name for name in Root.model_fields if isinstance(getattr(root, name), Section)),
        *(f"{kind}.{name}" for kind in MODELS for name in getattr(root, kind)),
        *(f"runs.{name}.{part}" for name in root.runs for part in RUN_SECTIONS),
        *(f"{source}.adapter_options" for source in sources),
        "variants",
        "likelihood.sampling",
    ]
