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
from refocus.policy.policy_prompt import after_frames, before_frames
from refocus.world import assets
from refocus.world.base_policy import CURRICULUM as BASE_CURRICULUM
from refocus.world.base_policy import BaseTrainer
from refocus.world.reference_lmm import TOKENS, ReferenceTrainer, suffix_text
from refocus.world.scene import sample_scene
from refocus.world.tasks import CURRICULUM, LETTERS, Task, curriculum, sample_task, supervise
from refocus.world.tokenizer import build_tokenizer

SHIPPED = Path(__file__).parents[2] / "assets"
TASK = Task("choose", "static/corner", "which corner has the dot?", ("top left", "nowhere", "top right"), "C", "top")


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


@pytest.mark.parametrize("stages", [CURRICULUM, BASE_CURRICULUM])
def test_a_curriculum_covers_the_training_and_its_mixes_are_shares(stages):
    starts = [stage[0] for stage in stages]
    assert starts[0] == 0.0 and starts == sorted(starts)
    assert all(sum(stage[1]) == pytest.approx(1) for stage in stages)
    assert curriculum(1.0) == CURRICULUM[-1][1:]


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


def test_a_few_steps_teach_both_models_something(tmp_path):
    torch.manual_seed(0)
    base = BaseTrainer(0)
    base.align_tower(4, batch=16)
    before = {name: value.clone() for name, value in base.policy.state_dict().items()}
    base.teach(4, lr=1e-3, questions=4, fresh=1, start=3)
    after = base.policy.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before if name.startswith("vision."))
    assert not torch.equal(before["backbone.embedding.weight"], after["backbone.embedding.weight"])
    base.save(tmp_path / "policy")
    lmm = ReferenceTrainer(0)
    lmm.align_tower(2, batch=16)
    lmm.teach(2, lr=1e-3, joint=False, clips=2, each=2)
    lmm.teach(1, lr=1e-3, joint=True, clips=2, each=2)
    lmm.save(tmp_path / "lmm")
    files = assets.checksums(tmp_path)
    assert {"lmm/model.safetensors", "policy/model.safetensors"} <= set(files)
    assert sum(entry["bytes"] for entry in files.values()) < assets.MOST_BYTES


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
