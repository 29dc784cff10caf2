"""The table of statements and the table of deviations: what is wrong with them is said."""
import pytest

import conformance
import planted_deviations

TESTS = {"system/a_test.py::test_one": {"MQTT-1.1.1-1"}, "system/a_test.py::test_two": set()}
GOOD = {"version": "5.0", "id": "MQTT-1.1.1-1", "status": "tested", "statement": "It holds.",
        "test": "system/a_test.py::test_one | system/a_test.py::test_two", "reason": ""}


def found(*rows, tests=None):
    return list(conformance.problems(list(rows), tests or TESTS))


def test_a_good_row_is_no_problem():
    assert found(GOOD) == []


@pytest.mark.parametrize("change, word", [
    ({"test": "system/a_test.py::test_one | system/a_test.py::test_three"}, "is not there"),
    ({"test": ""}, "tested by nothing"),
    ({"status": "open"}, "without a reason"),
    ({"status": "fine"}, "is none of"),
    ({"statement": ""}, "no statement"),
], ids=str)
def test_what_is_wrong_with_a_row_is_said(change, word):
    assert any(word in problem for problem in found({**GOOD, **change}))


def test_a_statement_stands_once_in_each_version():
    assert any("stands twice" in problem for problem in found(GOOD, GOOD))
    assert found(GOOD, {**GOOD, "version": "3.1.1"}) == []


def test_a_claim_has_to_stand_in_its_row():
    claiming = {**TESTS, "system/a_test.py::test_two": {"MQTT-2.2.2-2"}}
    assert any("test_two claims MQTT-2.2.2-2" in problem for problem in found(GOOD, tests=claiming))


def test_claims_are_read_from_comments_and_tags():
    python = ('def test_a():\n    """[MQTT-1.2.3-4]"""\n\n\n'
              'def test_b():\n    # [MQTT-5.6.7-8]\n    pass\n')
    assert [(name, conformance.CLAIM.findall(text))
            for name, text in conformance.python_tests(python)] == \
        [("test_a", ["MQTT-1.2.3-4"]), ("test_b", ["MQTT-5.6.7-8"])]
    cpp = 'TEST_CASE("It \\"holds\\"",\n          "[mqtt][MQTT-1.2.3-4]") {}'
    assert list(conformance.catch2_tests(cpp)) == [('It \\"holds\\"', "[mqtt][MQTT-1.2.3-4]")]


def test_a_deviation_whose_text_is_gone_is_said():
    row = {"name": "x", "version": "5.0", "id": "MQTT-3.12.4-1", "file": "broker/mqtt/topics.cpp",
           "source": "no such text", "replacement": "", "test": "system/a_test.py::test_one"}
    said = list(planted_deviations.problems([row, row]))
    assert any("stands 0 times" in problem for problem in said)
    assert any("does not name" in problem for problem in said)
    assert any("stands twice" in problem for problem in said)
