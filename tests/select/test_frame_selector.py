"""One video, one question: the library and the command, with a tiny random policy on files of the real kind."""

import json

import av
import numpy as np
import pytest

torch = pytest.importorskip("torch")

import refocus  # noqa: E402
from PIL import Image  # noqa: E402
from refocus.cli.main import main  # noqa: E402
from refocus.config.select import SelectSettings  # noqa: E402
from refocus.core.errors import RefocusError, UsageError  # noqa: E402
from refocus.policy.rollout import score  # noqa: E402
from refocus.select import FrameSelector  # noqa: E402
from refocus.select.contact_sheet import clock  # noqa: E402
from refocus.select.policy_selector import ask_policy  # noqa: E402
from refocus.select.video_source import open_video  # noqa: E402

from tests.support.grey_video import write_greys  # noqa: E402
from tests.support.tiny_policy import PROMPTS, build_policy  # noqa: E402


def test_the_package_gives_its_selector_by_name():
    assert refocus.FrameSelector is FrameSelector


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    """Three seconds at 10 fps, every frame a different grey."""
    return write_greys(tmp_path_factory.mktemp("video") / "grey scale.mp4", range(30))


def test_picks_are_frames_of_the_file_in_temporal_order(selector, video):
    """12 candidates at 4 fps; times are when the frame is shown, and the file's own frame numbers go with them."""
    selection = selector.select(video, "What colour is it?", ["red", "green"], n_frames=5)
    assert list(selection.candidate_indices) == sorted(set(selection.candidate_indices))
    assert all(0 <= candidate < 12 for candidate in selection.candidate_indices)
    assert sorted(selection.pick_rank) == [1, 2, 3, 4, 5]
    assert selection.timestamps_s == pytest.approx([source / 10 for source in selection.source_frames])
    assert len(selection.score) == 5 and all(score <= 0 for score in selection.score)


def test_source_frames_are_what_a_decoder_takes(selector, video):
    """The file's frames of these numbers look like the candidates that were picked."""
    selection = selector.select(video, "What colour is it?", n_frames=5)
    with av.open(str(video)) as container:
        greys = [frame.to_ndarray(format="gray").mean() for frame in container.decode(video=0)]
    picked = open_video(video).candidates(selector.decode).images[list(selection.candidate_indices)]
    assert picked.mean((1, 2, 3)) == pytest.approx([greys[number] for number in selection.source_frames], abs=4)
    assert selection.source_frames != selection.candidate_indices


def test_a_question_gets_the_same_frames_every_time_and_another_seed_gets_others(selector, video):
    first = selector.select(video, "What colour is it?", n_frames=4)
    assert selector.select(video, "What colour is it?", n_frames=4) == first
    others = {selector.select(video, "What colour is it?", n_frames=4, seed=seed) for seed in range(1, 6)}
    assert others != {first}


def test_questions_about_one_video_share_one_pass_over_its_frames(model, video, tmp_path):
    """And get the frames that a selector of their own gives them, also about the next video."""
    selector, tokens = FrameSelector.from_pretrained(model), []
    other = tmp_path / "reversed.mp4"
    write_greys(other, range(29, -1, -1))
    asked = [(video, "What colour is it?"), (video, "What is it?"), (video, "What colour is it?"), (other, "What?")]
    for path, question in asked:
        before = selector.policy.backbone.tokens
        alone = FrameSelector.from_pretrained(model).select(path, question, n_frames=4)
        assert selector.select(path, question, n_frames=4) == alone
        tokens.append(selector.policy.backbone.tokens - before)
    frames = 12 * selector.policy.config.tokens_per_frame
    assert [count > frames for count in tokens] == [True, False, False, True]


def test_a_short_clip_is_kept_whole(selector, video):
    assert selector.select(video, "What?", n_frames=512).candidate_indices == tuple(range(12))


def test_a_tiny_model_says_that_it_only_knows_the_synthetic_world(selector):
    assert "synthetic world" in selector.warning


def test_wrong_requests_are_refused_before_any_work(selector, video, tmp_path):
    with pytest.raises(UsageError, match=r"nowhere\.mp4"):
        selector.select(tmp_path / "nowhere.mp4", "What?")
    with pytest.raises(UsageError, match="n_frames"):
        selector.select(video, "What?", n_frames=0)
    with pytest.raises(UsageError, match="empty"):
        selector.select(video, "  ")
    with pytest.raises(UsageError, match=r"config\.json"):
        FrameSelector.from_pretrained(tmp_path)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"not a video")
    with pytest.raises(RefocusError, match=r"broken\.mp4"):
        selector.select(broken, "What?")


@pytest.mark.parametrize("mode", ["sample", "greedy", "first_step", "top_marginal"])
def test_a_policy_that_diverged_picks_nothing(mode):
    policy = build_policy(0, torch.float32).eval()
    torch.nn.init.constant_(policy.heads.query.weight, torch.nan)
    images = np.zeros((7, 32, 32, 3), np.uint8)
    with pytest.raises(RefocusError, match="the policy's probabilities are not numbers"):
        ask_policy(policy, images, PROMPTS, 3, [5, 6, 7], SelectSettings(mode=mode, marginal_samples=4))


@pytest.mark.parametrize("mode", ["sample", "greedy", "top_marginal"])
def test_picks_of_a_question_come_with_their_scores_and_do_not_depend_on_the_questions_beside_it(mode):
    """Scores are the log-probabilities that the parallel pass gives these picks, or of their frames under Eq. 10."""
    policy = build_policy(0, torch.float32).eval()
    images = np.random.default_rng(0).integers(0, 255, (7, 32, 32, 3), np.uint8)
    settings = SelectSettings(mode=mode, marginal_samples=4)
    made = ask_policy(policy, images, PROMPTS, 3, [5, 6, 7], settings)
    [alone] = ask_policy(policy, images, PROMPTS[1:2], 3, [6], settings)
    assert alone.order == made[1].order and alone.score == pytest.approx(made[1].score, abs=1e-5)
    if mode == "top_marginal":
        share = policy.marginals(images, PROMPTS, 3, [5, 6, 7], 4)
        assert made[0].score == pytest.approx(sorted(share[0].log().tolist(), reverse=True)[:3], abs=1e-5)
        return
    clips = policy.prefix([policy.encode(images)])
    asked = policy.ask(clips, [0] * 3, PROMPTS)
    logp = score(policy, clips, asked, torch.tensor([[picks.order] for picks in made])).logp
    torch.testing.assert_close(torch.tensor([[picks.score] for picks in made]), logp, atol=1e-4, rtol=0)


def test_the_command_prints_the_picks_and_the_warning(model, video, capsys):
    assert (
        main(["select", str(video), "What colour is it?", "--option", "red", "--frames", "4", "--model", str(model)])
        == 0
    )
    text = capsys.readouterr().out
    assert "4 of 12 candidate frames" in text and "its picks mean nothing" in text


def test_the_command_writes_json_and_a_contact_sheet(model, video, capsys, tmp_path):
    sheet = tmp_path / "sheet.png"
    flags = ["--frames", "4", "--model", str(model), "--json", "--contact-sheet", str(sheet)]
    assert main(["select", str(video), "What?", *flags]) == 0
    answer = json.loads(capsys.readouterr().out)
    for name in ("timestamps_s", "source_frames", "candidate_indices", "pick_rank", "score"):
        assert len(answer[name]) == 4
    assert "frame_indices" not in answer  # which frames it counts would be anybody's guess
    assert "synthetic world" in answer["warning"]
    with Image.open(sheet) as image:
        assert image.format == "PNG" and image.width >= 480


@pytest.mark.parametrize(
    "argv", [["select"], ["select", "a.mp4"], ["select", "a.mp4", "What?", "--questions", "q.csv"]]
)
def test_half_a_request_ends_with_status_2(argv):
    assert main(argv) == 2


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00.0"), (7.29, "0:07.2"), (65.5, "1:05.5"), (3725, "1:02:05.0")])
def test_clock_reads_like_a_player(seconds, text):
    assert clock(seconds) == text


def test_real_files_give_frames_with_their_times(selector, shared_data):
    """Matroska, AV1, a rotated QuickTime file of one frame, and H.264."""
    for path in sorted((shared_data / "videos").iterdir()):
        selection = selector.select(path, "What happens?", n_frames=4)
        assert 1 <= len(selection.source_frames) <= 4
        assert list(selection.timestamps_s) == sorted(selection.timestamps_s)
