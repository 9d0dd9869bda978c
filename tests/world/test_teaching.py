"""The tiny models' tasks: what is asked of which token, and that training sees what the pipeline later scores."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from refocus.core.errors import RefocusError
from refocus.core.files import write_json
from refocus.lmm import Prompt, load_lmm
from refocus.lmm.prompts import internvl_prefix, internvl_prompt
from refocus.policy.frame_policy import FramePolicy
from refocus.policy.policy_prompt import after_frames, before_frames
from refocus.world import assets, base_policy
from refocus.world.base_policy import CURRICULUM as BASE_CURRICULUM
from refocus.world.base_policy import BaseTrainer
from refocus.world.reference_lmm import TOKENS, ReferenceTrainer, suffix_text
from refocus.world.scene import sample_scene
from refocus.world.tasks import (
    CURRICULUM,
    LETTERS,
    RunningAccuracy,
    Task,
    curriculum,
    sample_task,
    supervise,
    weighted_loss,
)
from refocus.world.tokenizer import build_tokenizer

pytestmark = pytest.mark.slow

SHIPPED = Path(__file__).parents[2] / "assets"
TASK = Task("choose", "static/corner", "which corner has the dot?", ("top left", "nowhere", "top right"), "C", "top")

MIX = (0.3, 0.4, 0.3)


def test_no_prompt_of_the_world_has_an_unknown_token():
    tokenizer, rng = build_tokenizer(), np.random.default_rng(0)
    texts = [internvl_prefix(32, TOKENS), before_frames("paper")]
    for seed in range(60):
        scene = sample_scene(rng, 12.0 + seed / 3)
        task = sample_task(rng, scene, scene.events, (0.4, 0.3, 0.3))
        texts += [suffix_text(task), after_frames("paper", Prompt(task.text, task.options)), task.answer]
    for text in texts:
        assert tokenizer.unk_token_id not in tokenizer(text, add_special_tokens=False).input_ids, text
    assert all(len(tokenizer(letter, add_special_tokens=False).input_ids) == 1 for letter in LETTERS)


def test_a_task_supervises_the_end_of_the_question_every_option_and_the_answer():
    tokenizer = build_tokenizer()
    for text in (suffix_text(TASK), after_frames("paper", Prompt(TASK.text, TASK.options))):
        ids, wanted = supervise(tokenizer, text, TASK)
        at = tokenizer.convert_ids_to_tokens([ids[position] for position, _, _ in wanted])
        due = tokenizer.convert_ids_to_tokens([token for _, token, _ in wanted])
        assert at[:4] == ["?", "left", "nowhere", "right"]
        assert due == ["top", "no", "no", "yes", "C"]
        assert wanted[-1][0] == len(ids) - 1


def test_the_mix_of_a_moment_is_that_of_the_last_stage_begun():
    for done in np.linspace(0, 1, 101):
        begun = [stage for stage in CURRICULUM if stage[0] <= done]
        assert curriculum(done) == max(begun)[1:]


def test_the_base_is_taught_by_its_stages(monkeypatch):
    """Ten steps: the mix of each, and clips cut to a few events until whole videos come."""
    base, mixes, shown = BaseTrainer(2), [], []
    due_logits, sample = base.due_logits, base_policy.sample_task

    def asked(rng, scene, events, mix):
        mixes.append(mix)
        return sample(rng, scene, events, mix)

    def noted(clips, tasks):
        shown.append((mixes[-1], max(len(clip.events) for clip in clips)))
        return due_logits(clips, tasks)

    monkeypatch.setattr(base_policy, "sample_task", asked)
    monkeypatch.setattr(base, "due_logits", noted)
    base.teach(10, lr=1e-3, questions=3, fresh=1, start=3, pool=3)
    stages = [max(stage for stage in BASE_CURRICULUM if stage[0] * 10 <= step) for step in range(10)]
    assert [mix for mix, _ in shown] == [mix for _, mix, _, _ in stages]
    cut = [events for (_, events), (_, _, most, _) in zip(shown, stages, strict=True) if most is not None]
    assert cut == [most for _, _, most, _ in stages if most is not None]
    assert max(events for _, events in shown) > max(cut), "whole videos at last"


def test_questions_packed_behind_one_prefix_are_scored_as_the_pipeline_scores_them(tmp_path):
    trainer = ReferenceTrainer(3)
    bank = trainer._draw_bank(2)
    picked = [[0, 2, 5], [len(bank.frames[0]) + i for i in (1, 3, 4)]]
    tasks = [
        [sample_task(trainer.rng, scene, scene.events, (1.0, 0.0, 0.0)) for _ in range(3)] for scene in bank.scenes
    ]
    with torch.no_grad():
        logits, _, _, ends = trainer._due_logits(bank.features, picked, tasks)
        features = trainer.model.model.multi_modal_projector(bank.features)
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
    assert suffix_text(flat[0]) in internvl_prompt(Prompt(flat[0].text, flat[0].options), 3, TOKENS)


def test_ten_steps_teach_the_base_what_it_was_not_asked(tmp_path):
    """Tasks about videos it never sees cost it less than four fifths of before; the aligned tower stays as it is."""
    base, other = BaseTrainer(0), BaseTrainer(1)
    base.align_tower(4, batch=16)
    other.policy = base.policy
    other._draw(3)
    tasks = [[sample_task(other.rng, clip.scene, clip.events, MIX) for _ in range(8)] for clip in other.pool]

    def loss():
        with torch.no_grad():
            return weighted_loss(*base.due_logits(other.pool, tasks)[:3]).item()

    before, tower = loss(), {name: value.clone() for name, value in base.policy.vision.state_dict().items()}
    base.teach(10, lr=2e-3, questions=24, fresh=1, start=6)
    assert loss() < 0.8 * before
    assert all(torch.equal(tower[name], value) for name, value in base.policy.vision.state_dict().items())
    base.save(tmp_path)
    saved = FramePolicy.from_pretrained(tmp_path).state_dict()
    for name, value in base.policy.state_dict().items():
        assert torch.equal(saved[name], value.half().float()), name


def test_ten_steps_teach_the_reference_what_it_was_not_asked(monkeypatch):
    """The same of the reference LMM; its tower learns only when all is taught together."""
    lmm = ReferenceTrainer(0)
    lmm.align_tower(2, batch=16)
    draw = lmm._draw_bank
    bank, rng = draw(6), lmm.rng
    monkeypatch.setattr(lmm, "_draw_bank", lambda scenes, **how: draw(min(scenes, 12), **how))  # of 300

    def loss():
        lmm.rng = np.random.default_rng(5)
        with torch.no_grad():
            found = lmm._task_loss(bank, 6, 4, MIX, 3, RunningAccuracy()).item()
        lmm.rng = rng
        return found

    def tower():
        return [value.clone() for value in lmm.model.model.vision_tower.state_dict().values()]

    before, seen = loss(), tower()
    lmm.teach(10, lr=2e-3, joint=False, clips=6, each=4)
    assert loss() < 0.8 * before
    assert all(map(torch.equal, seen, tower()))
    lmm.teach(2, lr=2e-3, joint=True, clips=4, each=3)
    assert not all(map(torch.equal, seen, tower()))


def test_an_excerpt_keeps_only_the_events_it_names():
    base = BaseTrainer(1)
    base._draw(1)
    clip = base.pool[0]
    part = clip.excerpt(base.rng, 2)
    shown = {event.shape for time_s in part.times if (event := clip.scene.event_at(time_s))}
    assert shown == {event.shape for event in part.events} and len(shown) == 2
    assert len(part.features) == len(part.times) < len(clip.times)
    assert list(part.times) == sorted(part.times)


def test_only_what_the_manifest_describes_is_promoted(tmp_path):
    for model in assets.MODELS:
        (tmp_path / "new" / model).mkdir(parents=True)
        (tmp_path / "new" / model / "config.json").write_text(model)
    with pytest.raises(RefocusError, match="missing"):
        assets.promote(tmp_path / "new", tmp_path / "shipped")
    manifest = {"files": assets.checksums(tmp_path / "new")}
    (tmp_path / "new" / assets.MANIFEST).write_text(json.dumps(manifest))
    assets.promote(tmp_path / "new", tmp_path / "shipped")
    assert assets.checksums(tmp_path / "shipped") == manifest["files"]
    (tmp_path / "new" / "lmm" / "config.json").write_text("changed")
    with pytest.raises(RefocusError, match="other files"):
        assets.promote(tmp_path / "new", tmp_path / "shipped")


def test_a_selector_ships_beside_the_models_it_was_trained_with_and_goes_with_them(tmp_path):
    for folder in ("new/lmm", "new/policy", "trained"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "config.json").write_text(folder)
    write_json(tmp_path / "new" / assets.MANIFEST, {"files": assets.checksums(tmp_path / "new"), "exams": [1]})
    assets.promote(tmp_path / "new", tmp_path / "shipped")
    with pytest.raises(RefocusError, match="no trained policy"):
        assets.promote_selector(tmp_path / "nothing", tmp_path / "shipped")
    assets.promote_selector(tmp_path / "trained", tmp_path / "shipped")
    manifest = json.loads((tmp_path / "shipped" / assets.MANIFEST).read_text())
    assert manifest == {"files": assets.checksums(tmp_path / "shipped"), "exams": [1]}
    assert "selector/config.json" in manifest["files"]
    assets.promote(tmp_path / "new", tmp_path / "shipped")
    assert not (tmp_path / "shipped" / assets.SELECTOR).exists()


def test_the_shipped_models_are_the_examined_ones_and_small():
    manifest = json.loads((SHIPPED / assets.MANIFEST).read_text())
    assert assets.checksums(SHIPPED) == manifest["files"]
    assert sum(entry["bytes"] for entry in manifest["files"].values()) < assets.MOST_BYTES
    for exam in manifest["exams"]:
        scores = {name: row["accuracy"] for name, row in exam["scores"].items()}
        assert scores["lmm moment with evidence"] >= 0.9
        assert scores["lmm moment without evidence"] <= scores["chance moment"] + 0.1
