"""The Python client against a live server, with a worker beside it."""

import json
import threading
import zipfile
from collections.abc import Iterator

import pytest
import requests
from django.db import connection as database
from loupe_client import FILTERS, Loupe, LoupeError, Project

from labeling import accounts, jobs
from labeling.api.filtering import FilterInput
from labeling.models import Annotation, Item, Job, QueueEntry, Suggestion, Upload
from labeling.models import Project as Row
from mlassist import loop, training
from mlassist.custom import work
from tests import factories
from tests.mlassist.eyes import featurize, open_eyes

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def worker() -> Iterator[None]:
    """Do queued jobs, as the worker processes do."""
    ended = threading.Event()

    def work() -> None:
        while not ended.wait(0.02):
            for pk in (
                Job.objects.filter(state="queued").order_by("priority", "id").values_list("id", flat=True)
            ):
                jobs.run(pk)
        database.close()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.fixture
def loupe(live_server, manager) -> Loupe:
    return Loupe(live_server.url, accounts.issue_token(manager, "script", manager), progress=False)


def test_a_script_goes_from_a_folder_to_labels_and_home(loupe, worker, tmp_path) -> None:
    folder = factories.write_folder(tmp_path / "shapes", 12)
    project = loupe.create_project("Shapes", "multiclass", factories.CLASSES, assist_mode="off")
    project.upload(folder)
    project.wait_for_images(every=0.05)
    project.start()
    truth = {item.id: item.path.split("/")[0] for item in project.items(state="unlabeled")}
    assert len(truth) == 12
    page = next(project.pages(size=4))
    page.submit({each["id"]: truth[each["id"]] for each in page.items}, seconds=1)
    assert project.label(lambda name: None) == 12 - len(page.items)
    labeled = {item.id: item.labels for item in project.items()}
    assert labeled == {each["id"]: [truth[each["id"]]] for each in page.items}
    skipped = {item.id for item in project.items(state="skipped")}
    assert skipped == truth.keys() - labeled.keys()
    written = json.loads(project.export(tmp_path / "labels.json").read_text())
    assert len(written["annotations"]) == len(labeled)
    assert loupe.project("Shapes").facts()["items"]["labeled"] == len(labeled)
    number = loupe.send_data_set("Shapes for all", folder)
    another = loupe.create_project("More shapes", "multiclass", factories.CLASSES, assist_mode="off")
    another.use_data_set(number)
    another.wait_for_images(every=0.05)
    assert len(list(another.items(state="unlabeled"))) == 12


def test_what_the_server_refuses_is_said_in_its_words(loupe) -> None:
    loupe.create_project("Shapes", "multiclass", ["a"])
    with pytest.raises(LoupeError, match="The name “shapes” is taken") as refused:
        loupe.create_project("shapes", "multiclass", ["a"])
    assert (refused.value.status, refused.value.code, list(refused.value.fields)) == (
        400,
        "invalid",
        ["name"],
    )
    with pytest.raises(KeyError):
        loupe.project("Circles")


def test_a_request_whose_reply_was_lost_does_its_work_once(loupe, monkeypatch) -> None:
    send, lost = loupe.connection.session.request, []

    def lose_first(*args, **kwargs):
        reply = send(*args, **kwargs)
        if not lost:
            lost.append(reply)
            raise requests.ConnectionError
        return reply

    monkeypatch.setattr("loupe_client.connection.WAITS", (0.01,))
    monkeypatch.setattr(loupe.connection.session, "request", lose_first)
    made = loupe.create_project("Once", "multiclass", ["a"])
    assert isinstance(made, Project)
    assert Row.objects.get().pk == made.id


def test_an_upload_that_broke_off_is_gone_on_with_by_another_run(
    loupe, worker, tmp_path, monkeypatch
) -> None:
    folder = factories.write_folder(tmp_path / "shapes", 6)
    project = loupe.create_project("Shapes", "multiclass", factories.CLASSES)
    send, sent = loupe.connection.session.request, []

    def break_off(method, *args, **kwargs):
        if method == "PUT":
            sent.append(kwargs["data"].split(b"\n")[0])
            if len(sent) > 1:
                raise requests.ConnectionError
        return send(method, *args, **kwargs)

    monkeypatch.setattr("loupe_client.uploading.PACK_FILES", 4)
    with monkeypatch.context() as broken:
        broken.setattr("loupe_client.connection.PATIENT", (0.01,))
        broken.setattr(loupe.connection.session, "request", break_off)
        with pytest.raises(requests.ConnectionError):
            project.upload(folder)
    assert len(sent) == 3
    assert Upload.objects.get().parts.filter(received=0).count() == 2
    project.upload(folder)
    project.wait_for_images(every=0.05)
    assert (Upload.objects.get().state, len(list(project.items(state="unlabeled")))) == ("complete", 6)


def test_a_model_that_runs_elsewhere_proposes_under_its_own_name(loupe, worker, manager, tmp_path) -> None:
    folder = factories.write_folder(tmp_path / "shapes", 12)
    project = loupe.create_project("Shapes", "multiclass", factories.CLASSES)
    project.upload(folder)
    project.wait_for_images(every=0.05)
    row = Row.objects.get(pk=project.id)
    sizes = []

    def look(file: bytes) -> list[dict[str, object]]:
        sizes.append(len(file))
        return [{"class": "circle", "confidence": 0.9}, {"class": "square", "confidence": 0.2}]

    taken = project.suggest("My model", look, {"circle": 0.5}, {"circle": "something round"})
    waiting = QueueEntry.objects.filter(project=row)
    assert taken == waiting.filter(kind="prelabeled").count() == Suggestion.objects.count() > 0
    assert waiting.filter(kind="validation").count() == 12 - taken
    assert not Suggestion.objects.filter(item__entry__kind="validation").exists()
    version = row.model_versions.get()
    assert (version.metrics["head"], version.taught) == ("My model", False)
    assert set(Suggestion.objects.values_list("model_version", flat=True)) == {version.number}
    assert min(sizes) > 0
    with pytest.raises(LoupeError, match="no class"):
        project.suggest("My model", lambda file: [{"class": "cube", "confidence": 0.9}])


def test_the_script_of_the_page_works_as_pasted(loupe, worker, manager, tmp_path, monkeypatch) -> None:
    pytest.importorskip("transformers")
    from mlassist.autolabel import script
    from tests.mlassist.test_auto_hub import save

    save(tmp_path / "clip", "clip")
    project = loupe.create_project("Shapes", "multiclass", factories.CLASSES)
    project.upload(factories.write_folder(tmp_path / "shapes", 6))
    project.wait_for_images(every=0.05)
    monkeypatch.setenv("LOUPE_TOKEN", accounts.issue_token(manager, "script", manager))
    text = script.of(Row.objects.get(pk=project.id), loupe.connection.url, {})
    text = text.replace("openai/clip-vit-base-patch32", str(tmp_path / "clip")).replace("0.5", "0.0")
    exec(compile(text, "script", "exec"), {})
    assert Suggestion.objects.filter(project=project.id).exists()


def test_labels_come_from_a_file_and_exports_take_every_option(loupe, worker, tmp_path) -> None:
    folder = factories.write_folder(tmp_path / "shapes", 6)
    project = loupe.create_project("Shapes", "multiclass", factories.CLASSES, assist_mode="off")
    project.upload(folder)
    project.wait_for_images(every=0.05)
    names = [item.path for item in project.items(state="unlabeled")]
    (tmp_path / "labels.csv").write_text(
        "file_name,class\n" + "".join(f"{name},{name.split('/')[0]}\n" for name in names)
    )
    found = project.import_labels(tmp_path / "labels.csv", every=0.05)
    assert (found.state, found.report["free"]) == ("ready", 6)
    assert found.apply(every=0.05).outcomes == {"label": 6}
    assert found.undo(every=0.05).state == "undone"
    again = found.check_again(every=0.05)
    assert again.apply("suggestions", every=0.05).outcomes.keys() <= {"suggestion", "blind"}
    again.undo(every=0.05)
    assert project.labels_from_folders(every=0.05).apply(every=0.05).outcomes == {"label": 6}
    assert len(project.label_imports()) == 3
    split = {"train": 50, "val": 50}
    seen = project.preview_export(images="copy", split=split, label_class="circle")
    place = project.export(tmp_path / "circles.zip", images="copy", split=split, label_class="circle")
    with zipfile.ZipFile(place) as packed:
        assert sum(each.endswith(".png") for each in packed.namelist()) == seen["images"]
    project.export(tmp_path / "all.json")
    newest, before = (each["id"] for each in project.exports())
    assert project.compare_exports(newest, since=before)["by_class"]
    with pytest.raises(TypeError, match="no filter 'imges'"):
        project.export(tmp_path / "x.json", imges="copy")


def test_filters_are_those_of_the_server(loupe, tmp_path) -> None:
    assert (FILTERS - {"label_class"}) | {"class"} == set(FilterInput().fields)
    project = loupe.create_project("Shapes", "multiclass", ["a"])
    with pytest.raises(FileNotFoundError, match="no file or folder /nope"):
        project.upload("/nope")
    with pytest.raises(LoupeError):
        project.add_source("s3://Not_A_Bucket/**", credentials={"key": "k", "secret": "s"}, refresh="daily")
    source = project.add_addresses(["https://images.example.com/1.jpg"])
    assert [each.id for each in project.sources()] == [source.id]
    assert "gone_items" in source.look()


def test_a_script_makes_a_custom_model_chooses_and_lets_it_propose(
    loupe, worker, tmp_path, monkeypatch
) -> None:
    pytest.importorskip("torch")
    open_eyes(monkeypatch)

    def supervised(job, module="mlassist.training"):
        # In this process: another one knows nothing of the tests' database.
        do = work.do if module == "mlassist.custom.work" else training.do_round
        return do(job.row) or {}

    monkeypatch.setattr(loop, "supervised", supervised)
    project = loupe.create_project("Custom", "multiclass", factories.CLASSES, assist_mode="suggest")
    project.upload(factories.write_folder(tmp_path / "images", 60))
    project.wait_for_images(every=0.05)
    featurize(Row.objects.get(pk=project.id))
    for page in project.pages(9):
        rows = Item.objects.in_bulk([each["id"] for each in page.items])
        page.submit({pk: factories.true_class(row) for pk, row in rows.items()})
        if Annotation.objects.count() >= 50:
            break
    made = project.make_custom_model(ways=["usual", "other head"])
    first, second = made["candidates"]
    assert (first["is_trained"], first["problem"], second["is_trained"]) == (True, "", True)
    project.choose_model(made["id"], second["id"])
    assert loupe.connection.get(f"{project.at}custom-models/")["chosen"] == second["id"]
    with pytest.raises(ValueError, match="There is no cat"):
        project.make_custom_model(["cat"])
    with pytest.raises(LoupeError, match="no model called"):
        project.auto_label(model=99)
