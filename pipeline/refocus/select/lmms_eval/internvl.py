"""lmms-eval's InternVL 2.5 / 3 / 3.5 in their transformers form, on picked frames."""

from lmms_eval.models.chat.internvl_hf import InternVLHf

from refocus.select.lmms_eval.on_picks import OnPicks


class InternVLOnPicks(OnPicks, InternVLHf):
    """Its own `generate_until` would sample the frames again and make an empty answer of every error."""
