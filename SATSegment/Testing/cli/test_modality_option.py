"""--modality: by the names of people and of DICOM; what SAT was not trained on is refused with a way out."""

from __future__ import annotations

import pytest

from SATSegmentLib.anatomy.resolver.names import prompts_for
from SATSegmentLib.cli import main
from SATSegmentLib.cli.main import build_parser
from SATSegmentLib.cohort.listing import find_tasks
from SATSegmentLib.errors import PromptError

WORDS = {
    "segment": ("scan.nii", "--prompt", "liver", "--out", "a.seg.nrrd"),
    "cohort": ("scans", "--out", "out"),
    "teach": ("scan.nii", "mask.nii"),
    "evaluate": ("reference", "prediction", "--out", "out"),
    "terms": ("liver",),
    "report": ("report.txt",),
}


@pytest.mark.parametrize("command", WORDS)
def test_every_command_takes_the_names_of_people_and_of_dicom(command, capsys):
    parser = build_parser(command)
    for said, meant in {"CT": "ct", "mr": "mri", "MRI": "mri", "PT": "pet", "Pet": "pet"}.items():
        assert parser.parse_args([command, *WORDS[command], "--modality", said]).modality == meant
    for said in ("us", "ultrasound", "xray", "MG", "cta", ""):
        with pytest.raises(SystemExit) as ended:
            main([command, *WORDS[command], "--modality", said])
        assert ended.value.code == 2
        error = capsys.readouterr().err
        assert f"{said!r} is not one of ct, mri, pet" in error
        assert "satsegment challenge" in error


def test_lists_and_python_take_them_too(tmp_path):
    (tmp_path / "list.csv").write_text("scan,modality\na.nii,MR\nb.nii,CT\nc.nii,pt\nd.nii,US\n")
    tasks = find_tasks(tmp_path / "list.csv")
    assert [one.modality for one in tasks[:3]] == ["mri", "ct", "pet"]
    assert "'US' is not a modality" in tasks[3].problem
    assert [one.modality for one in prompts_for("liver", "MR")] == ["mri"]
    with pytest.raises(PromptError, match="does not support the modality 'us'"):
        prompts_for("liver", "us")
