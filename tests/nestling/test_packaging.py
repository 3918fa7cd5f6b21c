import subprocess
import sys
from importlib.metadata import distributions
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LAYERS = {"api", "workers", "channels", "domain", "migrations", "nestling"}


def test_locks_name_no_hosts() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "*package-lock.json"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    locks = [ROOT / "requirements.lock", *(ROOT / name for name in listed.stdout.splitlines())]
    assert ROOT / "tests" / "api" / "audit" / "package-lock.json" in locks
    for lock in locks:
        assert "://" not in lock.read_text(), lock


def test_the_lock_has_a_hash_for_every_package() -> None:
    entries = (ROOT / "requirements.lock").read_text().replace("\\\n", " ").splitlines()
    packages = [line for line in entries if "==" in line and not line.lstrip().startswith("#")]
    assert len(packages) > 50
    assert [line for line in packages if "--hash=sha256:" not in line] == []


def test_no_other_distribution_provides_a_name_of_our_layers() -> None:
    others = {
        (distribution.name, top)
        for distribution in distributions()
        if distribution.name != "nestling"
        for file in distribution.files or []
        if (top := file.parts[0].removesuffix(".py")) in LAYERS
    }
    assert others == set()


def test_the_layers_come_first_whatever_else_is_on_the_path(tmp_path: Path) -> None:
    for layer in LAYERS - {"nestling"}:
        (tmp_path / f"{layer}.py").write_text("raise ImportError('somebody else')")
    program = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import nestling, domain.database; print(domain.__file__)"
    )
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == str(ROOT / "domain" / "__init__.py")


def test_the_command_line_starts_without_loading_what_it_does_not_need() -> None:
    heavy = "{'pandas', 'numpy', 'lightgbm', 'sklearn', 'strawberry', 'tortoise', 'uvicorn', 'pyarrow'}"
    program = f"import sys; import nestling.cli; print(sorted({heavy} & set(sys.modules)))"
    ran = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT)
    assert ran.stdout.strip() == "[]"
