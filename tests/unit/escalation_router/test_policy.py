"""The policy's file: what is wrong with one is said in one sentence that names file and field."""

import hashlib
import re

import pytest

from schemas.reasons import Arm, Priority, Reason
from services.escalation_router.policy import PACKAGED, Policy, WrongPolicy

WHOLE = PACKAGED.read_text("utf-8")


def test_the_packaged_policy_is_whole_and_its_version_is_its_hash():
    policy = Policy.load()
    assert policy.version == hashlib.sha256(PACKAGED.read_bytes()).hexdigest()
    assert set(policy.priority) == set(Reason)
    assert policy.priority[Reason.PERSON_AT_RISK] is Priority.URGENT


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (r"facts_s = \S+", "facts_s = 901", r"timing\.facts_s: .*900"),
        (r"facts_s = \S+", "facts_s = nan", r"timing\.facts_s: "),
        (r"facts_s = \S+", 'facts_s = "soon"', r"timing\.facts_s: .*number"),
        (r"facts_s = \S+", "", r"timing\.facts_s: .*required"),
        (r"moment_s = \S+", "moment_s = 0", r"timing\.moment_s: "),
        (r"at_most = \S+", "at_most = -1", r"clarify\.at_most: "),
        (r"angry = \S+", "angry = 1.5", r"sentiment\.angry: "),
        (r"angry = \S+", "angry = 0.01", r"sentiment: angry must not be below upset"),
        (
            r"(?s)(\[answer\.product_search\].*?)sure = \S+",
            r"\1sure = 0.1",
            r"answer\.product_search: sure must not be below threshold",
        ),
        (r"\[answer\.other\]", "[answer.poetry]", r"answer: 'poetry' is not known"),
        (r"\[answer\.other\]\n(.+\n)+", "", r"answer: no thresholds for other"),
        (r"\nai = \d+", "\nai = 101", r"rollout\.ai: .*100"),
        (r"\nai = \d+", "\nai = 90", r"rollout: the percentages add up to 90, not to 100"),
        (r"assist = \d+", "assist = 30", r"rollout: the percentages add up to 130, not to 100"),
        (r"assist = \d+", "robots = 0", r"rollout: 'robots' is not known"),
        (r"order_change = \S+", 'order_change = "soonish"', r"priority\.order_change: "),
        (r"order_change = \S+\n", "", r"priority: none for order_change"),
        (r"order_change = \S+", 'order_chanje = "urgent"', r"priority: 'order_chanje' is not known"),
        (r"\[clarify\]", "[clarify]\nhow_often = 3", r"clarify\.how_often: .*not permitted"),
        (r"\[timing\]", 'version = "mine"\n[timing]', r"version: it is worked out"),
        (r"\[timing\]", "colour = 1\n[timing]", r"colour: .*not permitted"),
        (r"\[timing\]", "[timing", r"line \d+"),
        (r"\[timing\]", "rollout = 5\n[timing]", r"(Cannot|rollout)"),
    ],
)
def test_a_wrong_policy_stops_the_start_with_one_sentence(tmp_path, old, new, says):
    assert re.search(old, WHOLE)
    path = tmp_path / "mine.toml"
    path.write_text(re.sub(old, new, WHOLE, count=1), "utf-8")
    with pytest.raises(WrongPolicy) as raised:
        Policy.load(path)
    said = str(raised.value)
    assert said.startswith(f"{path}: ")
    assert re.search(says, said), said
    assert "\n" not in said
    assert "Value error" not in said


def test_no_file_a_folder_and_bytes_that_are_no_text(tmp_path):
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "none.toml", tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(WrongPolicy, match=re.escape(str(path))):
            Policy.load(path)


def test_buckets_fall_into_arms_by_their_share_and_stay_when_an_arm_grows():
    def arms(ai, assist, human):
        rollout = {Arm.AI: ai, Arm.ASSIST: assist, Arm.HUMAN: human}
        policy = Policy.load().model_copy(update={"rollout": rollout})
        return [policy.arm(bucket) for bucket in range(10_000)]

    small, grown = arms(10, 20, 70), arms(40, 20, 40)
    assert [small.count(arm) for arm in Arm] == [1000, 2000, 7000]
    assert all(now is Arm.AI for was, now in zip(small, grown, strict=True) if was is Arm.AI)
    assert set(arms(100, 0, 0)) == {Arm.AI}
    assert set(arms(0, 0, 100)) == {Arm.HUMAN}
