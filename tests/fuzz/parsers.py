"""Every parser of something that others made."""

from tests.fuzz.annotations import ANNOTATIONS
from tests.fuzz.models import MODELS
from tests.fuzz.settings import SETTINGS
from tests.fuzz.stored import STORED
from tests.fuzz.videos import VIDEOS

PARSERS = (*ANNOTATIONS, *VIDEOS, *STORED, *MODELS, *SETTINGS)
