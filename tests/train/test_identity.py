"""What a checkpoint must share with the run that goes on from it: answers and frames, not only names of questions."""

import dataclasses
from pathlib import Path

import pytest
from refocus.config.lmm import LmmSettings
from refocus.config.policy import PolicySettings
from refocus.train.data import TrainingSet
from refocus.train.job import TrainingJob
from refocus.train.run import identity

from tests.support.tiny_training import SETTINGS, training_set

CONTENTS = {f"c{clip}": f"{clip:016x}" for clip in range(5)}


def questions_of(data: TrainingSet, contents: dict[str, str] = CONTENTS) -> str:
    """What of the identity is of the data."""
    here = Path("nowhere")
    settings = LmmSettings(path="hub/lmm"), PolicySettings(start="hub/base"), SETTINGS
    return identity(TrainingJob(here, (), "hub/base", *settings, here, here), data, contents.__getitem__)["questions"]


def test_the_same_data_are_the_same_in_any_order():
    data = training_set()
    assert questions_of(data) == questions_of(dataclasses.replace(data, train=data.train[::-1]))


@pytest.mark.fault("input replaced or corrected", "train", "corrected answers are other data: training begins anew")
def test_corrected_answers_are_other_data():
    data = training_set()
    first, *rest = data.train
    corrected = dataclasses.replace(first, answer_index=1 - first.answer_index)
    assert questions_of(dataclasses.replace(data, train=(corrected, *rest))) != questions_of(data)


@pytest.mark.fault("input replaced or corrected", "train", "a replaced video is other data: training begins anew")
def test_a_replaced_video_is_other_data():
    replaced = {**CONTENTS, training_set().train[0].clip_id: "f" * 16}
    assert questions_of(training_set(), replaced) != questions_of(training_set())


def test_what_is_held_back_is_part_of_it():
    data = training_set()
    moved = dataclasses.replace(data, train=data.train[1:], validation=(*data.validation, data.train[0]))
    assert questions_of(moved) != questions_of(data)
