"""The tiny models' tasks: what is asked of which token, and that training sees what the pipeline later scores."""

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
import torch
from refocus.lmm import Prompt, load_lmm
from refocus.lmm.families import FAMILIES
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.policy_prompt import after_frames, before_frames
from refocus.world import assets, base_policy, lmm_trainer
from refocus.world.alignment import describe, described
from refocus.world.base_policy import BaseTrainer, Stage
from refocus.world.captions import caption, full_caption, matches, sayable, wording
from refocus.world.contrast import CAPTION_TOKENS, ContrastTrainer, build_siglip
from refocus.world.evaluation import shown_frames
from refocus.world.lessons import AGAIN, LESSONS
from refocus.world.lmm_trainer import LmmTrainer, plainly_unseen, suffix_text
from refocus.world.questions import ask
from refocus.world.scene import sample_scene
from refocus.world.stream import camera, sample_moments
from refocus.world.tasks import (
    LETTERS,
    NOTHING,
    RunningAccuracy,
    Task,
    find_task,
    sample_task,
    supervise,
    tell_task,
    unseen,
    weighted_loss,
)
from refocus.world.tiny_lmms import TOKENS, TinyInternVL, TinyOneVision
from refocus.world.tokenizer import build_tokenizer

pytestmark = pytest.mark.slow

TASK = Task("choose", "static/corner", "which corner has the dot?", ("top left", "nowhere", "top right"), "C", "top")
PROMPT = Prompt(TASK.text, TASK.options)
SHARES = (0.4, 0.4, 0.2)
LMMS = (TinyInternVL, TinyOneVision)


def test_no_prompt_or_caption_of_the_world_has_an_unknown_token():
    tokenizer, rng = build_tokenizer(), np.random.default_rng(0)
    texts = [before_frames("paper"), *(made.family.prefix(32, TOKENS) for made in LMMS)]
    for seed in range(60):
        scene = sample_scene(rng, 14.0 + seed / 3)
        task = (
            sample_task(rng, scene, ("choose", "name")[seed % 2], SHARES),
            find_task(rng),
            tell_task(rng, scene.events),
        )[seed % 3]
        texts += [suffix_text(made.family, task) for made in LMMS]
        texts += [after_frames("paper", Prompt(task.text, task.options)), task.answer]
        moment = (scene, float(rng.uniform(0, scene.duration_s)))
        said = wording(rng, caption(rng, moment)), ", ".join(full_caption(moment))
        assert all(len(tokenizer(text).input_ids) < CAPTION_TOKENS for text in said)
        texts += said
    for text in texts:
        assert tokenizer.unk_token_id not in tokenizer(text, add_special_tokens=False).input_ids, text
    assert all(len(tokenizer(letter, add_special_tokens=False).input_ids) == 1 for letter in LETTERS)


def test_a_described_frame_says_what_is_on_screen_in_four_tokens():
    tokenizer, rng = build_tokenizer(), np.random.default_rng(6)
    scene = sample_scene(rng, 20.0)
    event = scene.events[2]
    ids = describe(tokenizer, [(scene, event.start_s + 0.1), (scene, 0.0)])
    said = [" ".join(tokenizer.convert_ids_to_tokens([i for i in token if i >= 0])) for token in ids[0].tolist()]
    assert said == [
        f"color {event.shape} {event.color}",
        f"where {event.shape} {event.place}",
        f"border {event.shape} {event.edge}",
        f"background {scene.background} {scene.corner}",
    ]
    assert tokenizer.unk_token_id not in ids.unique().tolist()
    embedding = torch.nn.Embedding(len(tokenizer), 8)
    words = tokenizer.convert_tokens_to_ids(said[0].split())
    assert torch.allclose(described(embedding, ids)[0, 0], embedding.weight[words].sum(0), atol=1e-6)


def test_a_caption_says_only_what_is_true_of_its_still():
    """Of its own still always; of another one exactly if each of its phrases is."""
    rng = np.random.default_rng(1)
    moments = sample_moments(rng, 12, 4)
    captions = [caption(rng, moment) for moment in moments]
    true = matches(captions, [sayable(moment) for moment in moments])
    assert true.diagonal().all() and not true.all()
    for said, (scene, time_s) in zip(captions, moments, strict=True):
        event, text = scene.event_at(time_s), " ".join(said)
        for shape in {event.shape for event in scene.events} - {event.shape if event else ""}:
            assert shape not in text.split()


def test_questions_are_asked_about_visible_events_only():
    rng = np.random.default_rng(2)
    scene = sample_scene(rng, 30.0)
    seen = scene.events[1:3]
    asked = [sample_task(rng, scene, "choose", (0.4, 0.6, 0.0), seen) for _ in range(200)]
    hidden = {event.shape for event in scene.events} - {event.shape for event in seen}
    assert not any(shape in task.text.split() for task in asked for shape in hidden)
    assert {task.kind.split("/")[0] for task in asked} == {"moment", "sequence"}
    alone = [sample_task(rng, scene, "choose", (0.0, 1.0, 0.0), seen[:1]).kind for _ in range(50)]
    assert all(kind.startswith("moment") for kind in alone), "one event in sight allows no question on two"
    assert sample_task(rng, scene, "choose", (0.0, 1.0, 0.0), ()).kind.startswith("static")


@pytest.mark.parametrize("text", [*(suffix_text(made.family, TASK) for made in LMMS), after_frames("paper", PROMPT)])
def test_a_task_supervises_the_end_of_the_question_every_option_and_the_answer(text):
    tokenizer = build_tokenizer()
    ids, wanted = supervise(tokenizer, text, TASK)
    at = tokenizer.convert_ids_to_tokens([ids[position] for position, _, _ in wanted])
    due = tokenizer.convert_ids_to_tokens([token for _, token, _ in wanted])
    assert at[:4] == ["?", "left", "nowhere", "right"]
    assert due == ["top", "no", "no", "yes", "C"]
    assert wanted[-1][0] == len(ids) - 1


@pytest.mark.parametrize("way", ["forwards", "backwards"])
def test_telling_says_at_every_word_which_shape_is_next_in_the_video(way):
    tokenizer, rng = build_tokenizer(), np.random.default_rng(7)
    scene = sample_scene(rng, 20.0)
    shapes = [event.shape for event in scene.events]
    follows = [*(shapes if way == "forwards" else shapes[::-1]), NOTHING]
    told = [task for task in (tell_task(rng, scene.events) for _ in range(60)) if task.kind == way]
    assert len({len(task.told) for task in told}) > 3, "a telling may begin anywhere"
    for task in told:
        ids, wanted = supervise(tokenizer, suffix_text(FAMILIES["internvl"], task), task)
        for position, token, _ in wanted:
            word, due = tokenizer.convert_ids_to_tokens([ids[position], token])
            if due in follows and word in follows:
                assert due == follows[follows.index(word) + 1]
        assert tokenizer.convert_ids_to_tokens(wanted[-1][1]) == NOTHING


def test_what_no_frame_shows_is_answered_by_any_wrong_letter_and_no_word():
    """Else the other frames' colors would make some options likelier, and guesses would beat chance."""
    rng = np.random.default_rng(8)
    hidden = [unseen(rng, TASK) for _ in range(300)]
    counts = np.bincount([LETTERS.index(task.answer) for task in hidden])
    assert counts.tolist()[2:] == [] and counts.min() > 120 and {task.word for task in hidden} == {NOTHING}
    tokenizer = build_tokenizer()
    _, wanted = supervise(tokenizer, suffix_text(FAMILIES["internvl"], TASK), hidden[0])
    assert tokenizer.convert_ids_to_tokens([token for _, token, _ in wanted])[:4] == [NOTHING, "no", "no", "no"]


@pytest.mark.parametrize(("enough", "stages"), [(0.0, [(2,), (2,), (2,), (), ()]), (2.0, [(2,)] * 5)])
def test_the_base_goes_on_to_the_next_stage_when_it_knows_enough(monkeypatch, enough, stages):
    """A bar that every answer clears is left after the fewest steps, one that none clears never."""
    first = dataclasses.replace(base_policy.CURRICULUM[0], clips=3, enough=enough, events=(2,))
    last = dataclasses.replace(base_policy.CURRICULUM[-1], clips=3)
    monkeypatch.setattr(base_policy, "CURRICULUM", (first, last))
    monkeypatch.setattr(base_policy, "LEAST", 2)
    base, drawn = BaseTrainer(2, build_siglip(len(build_tokenizer()))), []
    draw = base._draw

    def noted(count, stage):
        drawn.append(stage.events)
        return draw(2, stage)

    monkeypatch.setattr(base, "_draw", noted)
    base.teach(4, lr=1e-3, start=3, pool=3)
    assert drawn == stages


@pytest.mark.parametrize("build", LMMS)
def test_questions_packed_behind_one_prefix_are_scored_as_the_pipeline_scores_them(build, tmp_path):
    trainer = LmmTrainer(3, build)
    bank = trainer._draw_bank(2, "teach", LESSONS[-1])
    picked = [[0, 2, 5], [len(bank.frames[0]) + i for i in (1, 3, 4)]]
    tasks = [[sample_task(trainer.rng, scene, "choose", SHARES) for _ in range(3)] for scene in bank.scenes]
    with torch.no_grad():
        logits, _, _, ends, _ = trainer._due_logits(bank.features, picked, tasks)
        features = trainer.lmm.project(bank.features)
    letters = trainer.tokenizer.convert_tokens_to_ids(list(LETTERS))
    trainer.model.save_pretrained(tmp_path)
    trainer.tokenizer.save_pretrained(tmp_path)
    lmm = load_lmm(str(tmp_path), device="cpu", dtype="float32")
    flat = [task for row in tasks for task in row]
    rows = [(picked[index // 3], index) for index in range(6)]
    scored = lmm.score(features, rows, [Prompt(task.text, task.options) for task in flat])
    for end, task, raw in zip(ends, flat, scored, strict=True):
        ours = logits[end - 1, letters[: len(task.options)]]
        assert torch.allclose(ours, raw.squeeze(-1), atol=2e-4)


@pytest.mark.parametrize("build", LMMS)
def test_the_two_halves_of_an_lmm_give_what_the_pipeline_gets_from_it_whole(build, tmp_path):
    trainer = LmmTrainer(4, build)
    pictures = camera(trainer.rng, sample_moments(trainer.rng, 1, 3))
    with torch.no_grad():
        ours = trainer.lmm.project(trainer._tower(pictures))
    trainer.model.save_pretrained(tmp_path)
    trainer.tokenizer.save_pretrained(tmp_path)
    theirs = load_lmm(str(tmp_path), device="cpu", dtype="float32").encode(pictures)
    assert torch.allclose(ours, theirs, atol=1e-4)


def test_a_few_steps_bring_stills_and_captions_together(tmp_path):
    """The sigmoid loss of stills it never saw falls, and the policy's tower is the saved SigLIP's."""
    trainer = ContrastTrainer(0)
    rng = np.random.default_rng(9)
    moments = sample_moments(rng, 4, 4)
    pictures, captions = camera(rng, moments), [caption(rng, moment) for moment in moments]
    true = torch.from_numpy(matches(captions, [sayable(moment) for moment in moments]))

    def loss():
        with torch.no_grad():
            logits, _ = trainer.logits(pictures, [", ".join(phrases) for phrases in captions])
        return -torch.nn.functional.logsigmoid(torch.where(true, logits, -logits)).sum(1).mean().item()

    before = loss()
    trainer.teach(12, lr=2e-3, batch=32)
    assert loss() < 0.9 * before
    trainer.save(tmp_path)
    siglip = assets.read_tower(tmp_path)
    base = BaseTrainer(0, siglip)
    with torch.no_grad():
        pixels = torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1
        seen = siglip.vision_model(pixels, output_hidden_states=True).hidden_states[-2]
    assert torch.allclose(base.policy.encode(pictures), seen, atol=1e-5)


def test_a_few_steps_teach_the_base_what_it_was_not_asked(monkeypatch, tmp_path):
    """Tasks about videos it never sees cost it less than four fifths of before; the tower stays as it is."""
    monkeypatch.setattr(base_policy, "CURRICULUM", (dataclasses.replace(base_policy.CURRICULUM[0], clips=8),))
    siglip = build_siglip(len(build_tokenizer()))
    base, other = BaseTrainer(0, siglip), BaseTrainer(1, siglip)
    base.describe(6, lr=1e-3, batch=16)
    other.policy = base.policy
    clips = other._draw(3, Stage(0.0, SHARES, (3,), 3, 1))
    tasks = [[sample_task(other.rng, clip.scene, "name", SHARES) for _ in range(8)] for clip in clips]

    def loss():
        with torch.no_grad():
            return weighted_loss(*base.due_logits(clips, tasks)[:3]).item()

    before, tower = loss(), {name: value.clone() for name, value in base.policy.vision.state_dict().items()}
    base.teach(10, lr=2e-3, start=6)
    assert loss() < 0.8 * before
    assert all(torch.equal(tower[name], value) for name, value in base.policy.vision.state_dict().items())
    base.save(tmp_path)
    saved = FramePolicy.from_pretrained(tmp_path).state_dict()
    for name, value in base.policy.state_dict().items():
        assert torch.equal(saved[name], value.half().float()), name


@pytest.mark.parametrize("phase", ["read", "teach"])
def test_a_few_steps_teach_an_lmm_what_it_was_not_asked(monkeypatch, phase):
    """The same of an LMM, of frames described in words and of frames; its tower learns only with all together."""
    monkeypatch.setattr(lmm_trainer, "CLIPS", 6)
    monkeypatch.setattr(lmm_trainer, "LESSONS", LESSONS[1:2])
    lmm = LmmTrainer(0, TinyInternVL)
    draw = lmm._draw_bank
    bank, rng = draw(6, phase, LESSONS[1]), lmm.rng
    monkeypatch.setattr(lmm, "_draw_bank", lambda scenes, *how, **more: draw(min(scenes, 12), *how, **more))  # of 300

    def loss():
        lmm.rng = np.random.default_rng(5)
        with torch.no_grad():
            found = lmm._task_loss(bank, LESSONS[1], 3, RunningAccuracy()).item()
        lmm.rng = rng
        return found

    def tower():
        return [value.clone() for value in lmm.lmm.before_language[0].state_dict().values()]

    before, seen = loss(), tower()
    if phase == "read":
        lmm.read(10, lr=2e-3)
    else:
        lmm.teach(10, lr=2e-3, lessons=LESSONS[1:2])
    assert loss() < 0.8 * before
    assert all(map(torch.equal, seen, tower()))
    lmm.teach(2, lr=2e-3, lessons=AGAIN, joint=True)
    assert not all(map(torch.equal, seen, tower()))


def test_a_blind_task_is_one_that_the_frames_plainly_cannot_answer():
    """It names a shape that no frame shows, or nothing is shown where the named one's neighbor would be."""
    lmm = LmmTrainer(0, TinyInternVL)
    scene = sample_scene(lmm.rng, 20.0)
    seen = list(scene.events[1:3])
    hidden = {event.shape for event in scene.events if event not in seen}

    def asked(lesson):
        tasks = [lmm._blind_task(scene, "choose", lesson, seen) for _ in range(80)]
        assert all(plainly_unseen(task, seen, lesson.neighbors) for task in tasks)
        return tasks, [bool(hidden & set(task.text.rstrip("?").split())) for task in tasks]

    assert all(asked(LESSONS[-1])[1])
    tasks, named = asked(AGAIN[0])
    assert any(named)
    unnamed = {(task.kind, task.needs) for task, shown in zip(tasks, named, strict=True) if not shown}
    assert unnamed == {
        ("sequence/after", (seen[1], scene.events[3])),
        ("sequence/before", (scene.events[0], seen[0])),
    }


def test_clips_show_two_events_in_a_row_and_often_one_event_more_than_once():
    """Frames that a trained policy picks show one event twice; an LMM that never saw such clips misread them."""
    lmm = LmmTrainer(0, TinyInternVL)
    bank = lmm._draw_bank(40, "teach", AGAIN[0])
    times = [[time_s for time_s, _ in frames] for frames in bank.frames]
    pairs = again = 0
    for scene, row in zip(bank.scenes, times, strict=True):
        chosen = lmm._choose(scene, row, 4, AGAIN[0].again)
        assert chosen == sorted(set(chosen)) and len(chosen) == 4
        shown = [event for i in chosen if (event := scene.event_at(row[i]))]
        places = sorted({scene.events.index(event) for event in shown})
        pairs += any(b - a == 1 for a, b in pairwise(places))
        again += len(places) < len(shown)
    assert pairs > 20
    assert again > 10


def test_an_lmm_is_taught_on_from_its_folder(tmp_path):
    first, last = LmmTrainer(0, TinyInternVL), LmmTrainer(1, TinyInternVL)
    first.save(tmp_path)
    last.load(tmp_path)
    for (name, weight), other in zip(first.model.named_parameters(), last.model.parameters(), strict=True):
        assert torch.equal(weight.half(), other.half()) and other.dtype == torch.float32, name


@pytest.mark.parametrize("alone", [False, True])
def test_the_exam_shows_the_evidence_or_all_but_one_moment_of_it(alone):
    scene = sample_scene(np.random.default_rng(4), 24.0)
    question = ask(np.random.default_rng(4), scene, "sequence/after", 4, scene.events[2])
    times = [i / 4 for i in range(96)]
    inside = [{i for i in range(96) if start <= times[i] < end} for start, end in question.spans]
    for left_out in (None, 0, 1):
        shown = shown_frames(question, times, left_out, alone)
        counts = [len(span & set(shown)) for span in inside]
        assert len(set(shown)) == 4 and shown == sorted(shown)
        assert [count > 0 for count in counts] == [k != left_out for k in range(2)]
        assert sum(counts) == (4 if alone else 2 - (left_out is not None))


def test_a_neighbor_is_named_only_where_both_shapes_are_seen():
    rng, scene = np.random.default_rng(3), sample_scene(np.random.default_rng(3), 20.0)
    tasks = [sample_task(rng, scene, "name", (0.0, 1.0, 0.0)) for _ in range(60)]
    assert all(len(task.needs) == 2 for task in tasks)
    assert any(task.text.startswith("which shape is right") for task in tasks)


def test_aligned_frames_are_as_long_as_their_descriptions():
    """Longer tokens would drown what the language model adds to them."""
    lmm = LmmTrainer(0, TinyInternVL)
    lmm.align_tower(2, lr=1e-3, batch=16)
    moments = sample_moments(lmm.rng, 8, 4)
    with torch.no_grad():
        seen = lmm.lmm.project(lmm._tower(camera(lmm.rng, moments))).norm(dim=-1).mean()
        said = described(lmm.model.get_input_embeddings(), describe(lmm.tokenizer, moments)).norm(dim=-1).mean()
    assert seen.item() == pytest.approx(said.item(), rel=0.1)
