"""What keeps the house in order: directions, sizes, names, and what the web process may load."""

import ast
import re
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
import yaml
from django.core.management import call_command, get_commands
from django.template.loader import get_template

from labeling.templatetags.loupe import scripts

ROOT = Path(__file__).resolve().parents[1]
APPS = ("labeling", "clustering", "mlassist", "deploy")
MODULES = sorted(
    path for app in APPS for path in (ROOT / app).rglob("*.py") if "migrations" not in path.parts
)
SHEETS = sorted(path for app in APPS for path in (ROOT / app).rglob("static/**/*.css"))
LONGEST = 500


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_imports_go_one_way():
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stdout


def test_modules_are_of_one_idea():
    lengths = {name(path): len(path.read_text().splitlines()) for path in (*MODULES, *SHEETS)}
    assert {path: lines for path, lines in lengths.items() if lines > LONGEST} == {}


def test_library_code_does_not_print():
    prints = [
        f"{name(path)}:{node.lineno}"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert prints == []


def test_no_module_is_a_drawer():
    names = [path.stem for path in MODULES]
    assert not {"utils", "services", "helpers", "common", "misc"} & set(names)


WEB = """
import sys
from deploy.wsgi import application
from django.test import Client
from django.urls import get_resolver
def walk(patterns):
    for each in patterns:
        walk(each.url_patterns) if hasattr(each, "url_patterns") else each.callback
walk(get_resolver().url_patterns)
assert Client(headers={"host": "localhost"}).get("/healthz/").status_code == 200
loaded = {"torch", "torchvision", "faiss", "sklearn", "scipy", "cv2"} & set(sys.modules)
sys.exit(f"the web process loads {sorted(loaded)}" if loaded else 0)
"""


def test_the_web_process_loads_no_machine_learning():
    result = subprocess.run([sys.executable, "-c", WEB], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@pytest.mark.django_db
def test_migrations_are_complete_and_named():
    call_command("makemigrations", "--check", "--dry-run", stdout=StringIO())
    for app in ("labeling", "clustering", "mlassist"):
        files = sorted(path.stem for path in (ROOT / app / "migrations").glob("[0-9]*.py"))
        migrations = [each for each in files if "_squashed_" not in each]
        assert [each for each in migrations if re.match(r"\d+_auto_\d", each)] == []
        assert [int(each[:4]) for each in migrations] == list(range(1, len(migrations) + 1))


def test_every_template_compiles():
    folders = [ROOT / "templates", *(ROOT / app / "templates" for app in APPS)]
    for folder in folders:
        for path in folder.rglob("*.html"):
            get_template(str(path.relative_to(folder)))


def test_every_app_explains_itself():
    assert [app for app in APPS if not (ROOT / app / "README.md").exists()] == []


def test_every_environment_variable_is_explained():
    named = set()
    for path in MODULES:
        named |= set(re.findall(r"""["'](LOUPE_[A-Z_]+)["']""", path.read_text()))
    set_by_ourselves = {"LOUPE_STATIC_BUILT"}
    settings = set(re.findall(r"^(LOUPE_[A-Z_]+)\b", (ROOT / "deploy/settings.py").read_text(), re.MULTILINE))
    explained = (ROOT / "README.md").read_text() + (ROOT / "deploy/README.md").read_text()
    assert sorted(each for each in (named | settings) - set_by_ourselves if each not in explained) == []


def test_requirements_are_pinned_and_name_no_host():
    for path in (ROOT / "deploy").glob("requirements*.txt"):
        content = path.read_text()
        assert "://" not in content
        assert "--index-url" not in content
        pins = re.findall(r"^[a-z0-9].*?(?=^[a-z0-9]|\Z)", content, re.MULTILINE | re.DOTALL | re.IGNORECASE)
        assert [pin.splitlines()[0] for pin in pins if "==" not in pin or "--hash=sha256:" not in pin] == []


@pytest.mark.parametrize("surface", ["canvas", "grid"])
def test_the_label_page_loads_no_script_that_nothing_imports(surface):
    loaded = [*scripts("labeling/label"), *scripts(f"labeling/label/{surface}")]
    sources = [(ROOT / "labeling/static" / each).read_text() for each in loaded]
    imported = {name for source in sources for name in re.findall(r'from "[^"]*?([\w-]+\.js)"', source)}
    assert {Path(each).name for each in loaded} - imported == {"main.js", "surface.js"}


def test_no_script_has_a_template_within_a_template():
    nested = re.compile(r"\$\{[^}`]*`")  # minifying takes the spaces out of their text
    scripts = [path for app in APPS for path in (ROOT / app).rglob("static/**/*.js")]
    assert scripts
    assert [path.name for path in scripts if nested.search(path.read_text())] == []


def test_deployment_files_run_commands_that_exist():
    commands = set(get_commands())
    procfile = re.findall(r"manage\.py (\w+)", (ROOT / "deploy/Procfile").read_text())
    units = [
        word
        for path in (ROOT / "deploy/systemd").glob("*.service")
        for word in re.findall(r"manage\.py (\w+)", path.read_text())
    ]
    compose = yaml.safe_load((ROOT / "deploy/compose.yml").read_text())
    services = [each["command"][0] for each in compose["services"].values() if "command" in each]
    pods = [
        container["args"][0]
        for path in (ROOT / "deploy/kubernetes").glob("*.yaml")
        for document in yaml.safe_load_all(path.read_text())
        if "template" in document.get("spec", {})
        for container in document["spec"]["template"]["spec"]["containers"]
    ]
    for found in (procfile, units, services, pods):
        assert found
        assert set(found) <= commands
