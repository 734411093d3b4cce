"""install_asyncore: who finds simnet's modules under the old names, who is warned, and what undoes it."""

import importlib
import importlib.util
import pickle
import re
import subprocess
import sys
import threading
import warnings
from types import ModuleType

import pytest

import simnet
from simnet import UsageError, install_asyncore

NAMES = ("asyncore", "asynchat")


@pytest.fixture(autouse=True)
def nobody_has_imported_them(monkeypatch):
    """The names are free at the beginning, and mean at the end what they meant before."""
    for name in NAMES:
        monkeypatch.setitem(sys.modules, name, None)  # remembered even where there is none
        del sys.modules[name]


@pytest.fixture
def other():
    """Another asyncore, as Python 3.11 or a distribution brings one, with a class of its own."""
    module = ModuleType("asyncore")
    module.__file__ = "elsewhere/asyncore.py"
    module.dispatcher = type("dispatcher", (), {"__module__": "asyncore"})
    module.errno = importlib.import_module("errno")
    sys.modules["asyncore"] = module
    return module


@pytest.fixture
def package(monkeypatch):
    """A module that has imported nothing yet."""
    module = ModuleType("some_package")
    monkeypatch.setitem(sys.modules, "some_package", module)
    return module


def test_the_old_names_are_found_and_warn_of_nothing():
    with install_asyncore(), warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        asyncore, asynchat = map(importlib.import_module, NAMES)
    assert told == []
    assert asyncore is importlib.import_module("simnet.asyncore")
    assert asynchat is importlib.import_module("simnet.asynchat")


def test_the_installed_asynchat_goes_with_the_installed_asyncore():
    with install_asyncore():
        asyncore, asynchat = map(importlib.import_module, NAMES)
    assert issubclass(asynchat.async_chat, asyncore.dispatcher)


def test_to_install_twice_is_to_install_once():
    with install_asyncore():
        with install_asyncore():
            pass
        assert importlib.import_module("asyncore") is importlib.import_module("simnet.asyncore")
    assert "asyncore" not in sys.modules


def test_installations_may_be_undone_in_any_order_and_twice():
    first, second = install_asyncore(), install_asyncore()
    first.undo()
    second.undo()
    first.undo()
    assert [name for name in NAMES if name in sys.modules] == []


def test_the_names_mean_again_what_they_meant_before(other):
    with install_asyncore():
        assert sys.modules["asyncore"] is not other
    assert sys.modules["asyncore"] is other
    assert "asynchat" not in sys.modules


def test_a_name_that_must_not_be_imported_is_so_again_afterwards(monkeypatch):
    monkeypatch.setitem(sys.modules, "asyncore", None)
    with install_asyncore():
        assert sys.modules["asyncore"] is not None
    assert sys.modules["asyncore"] is None


def test_a_name_that_somebody_took_meanwhile_is_left_alone():
    theirs = ModuleType("asyncore")
    with install_asyncore():
        sys.modules["asyncore"] = theirs
    assert sys.modules["asyncore"] is theirs


def test_another_asyncore_that_nobody_has_kept_is_replaced(other):
    with install_asyncore():
        assert importlib.import_module("asyncore") is importlib.import_module("simnet.asyncore")


@pytest.mark.parametrize("kept", ["module", "class"])
def test_whoever_has_kept_another_asyncore_is_named(other, package, kept):
    package.kept = other if kept == "module" else other.dispatcher
    with pytest.raises(UsageError, match=r"^some_package imported asyncore \(elsewhere/asyncore.py\)"):
        install_asyncore()
    assert sys.modules["asyncore"] is other


def test_to_have_what_asyncore_has_imported_itself_is_not_to_keep_it(other, package):
    package.kept = other.errno
    with install_asyncore():
        assert sys.modules["asyncore"] is not other


def test_another_asynchat_may_keep_the_asyncore_that_goes_with_it(other):
    sys.modules["asynchat"] = asynchat = ModuleType("asynchat")
    asynchat.asyncore = other
    with install_asyncore():
        assert sys.modules["asynchat"] is not asynchat
    assert sys.modules["asynchat"] is asynchat


def test_with_replace_the_keeper_goes_on_and_later_imports_find_simnets(other, package):
    package.asyncore = other
    with install_asyncore(replace=True):
        assert importlib.import_module("asyncore") is not other
    assert package.asyncore is other


def test_what_is_no_module_among_the_modules_is_no_trouble(other, monkeypatch):
    monkeypatch.setitem(sys.modules, "blocked", None)
    monkeypatch.setitem(sys.modules, "odd", 7)
    install_asyncore().undo()


def test_a_thread_imports_what_was_installed():
    found = []
    with install_asyncore():
        thread = threading.Thread(target=lambda: found.extend(map(importlib.import_module, NAMES)))
        thread.start()
        thread.join(10)
    assert found == [importlib.import_module(f"simnet.{name}") for name in NAMES]


def test_an_import_statement_of_either_kind_finds_them():
    program = (
        "import asyncore, asynchat\nfrom asyncore import dispatcher, loop\nfrom asynchat import async_chat\n"
    )
    with install_asyncore():
        exec(program, names := {})
    assert names["dispatcher"] is names["asyncore"].dispatcher
    assert issubclass(names["async_chat"], names["dispatcher"])


def test_an_exception_undoes_it_and_passes():
    with pytest.raises(ZeroDivisionError), install_asyncore():
        raise ZeroDivisionError
    assert [name for name in NAMES if name in sys.modules] == []


def test_nothing_else_of_the_import_system_is_touched():
    importlib.import_module("simnet.asynchat")  # which sys.modules keeps, as any import
    finders, hooks, path, modules = [*sys.meta_path], [*sys.path_hooks], [*sys.path], {*sys.modules}
    with install_asyncore():
        assert ([*sys.meta_path], [*sys.path_hooks], [*sys.path]) == (finders, hooks, path)
        assert {*sys.modules} - modules == set(NAMES)
    assert {*sys.modules} == modules


def test_the_modules_say_where_they_live():
    with install_asyncore():
        assert [sys.modules[name].__name__ for name in NAMES] == [f"simnet.{name}" for name in NAMES]


@pytest.mark.parametrize("replaced", [True, False])
def test_an_inner_installation_leaves_the_outer_one(other, package, replaced):
    if replaced:
        package.kept = other
    with install_asyncore(replace=replaced):
        for _ in range(2):
            with install_asyncore(replace=True):
                pass
            assert sys.modules["asyncore"] is importlib.import_module("simnet.asyncore")
    assert sys.modules["asyncore"] is other


def test_installations_that_end_crosswise_leave_what_was_before(other):
    """The first one to end takes the names with it: the later one found simnet's there."""
    first = install_asyncore()
    second = install_asyncore()
    first.undo()
    assert sys.modules["asyncore"] is other
    second.undo()
    assert sys.modules["asyncore"] is other


def run(program):
    command = [sys.executable, "-W", "error", "-c", program]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncore left Python with 3.12")
def test_on_python_3_11_its_own_are_replaced_where_only_they_keep_each_other():
    done = run(
        "import warnings\n"
        "with warnings.catch_warnings():\n"
        "    warnings.simplefilter('ignore')\n"
        "    __import__('asynchat')\n"
        "import sys, simnet\n"
        "old = sys.modules['asyncore'].__file__\n"
        "with simnet.install_asyncore():\n"
        "    import asyncore, asynchat\n"
        "    assert asyncore.__name__ == 'simnet.asyncore', asyncore\n"
        "assert sys.modules['asyncore'].__file__ == old != asyncore.__file__\n"
        "assert sys.modules['asynchat'].asyncore is sys.modules['asyncore']\n"
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(sys.version_info >= (3, 12), reason="asyncore left Python with 3.12")
def test_on_python_3_11_a_program_that_has_imported_its_own_is_told():
    done = run(
        "import warnings; warnings.simplefilter('ignore'); import asyncore, simnet; simnet.install_asyncore()"
    )
    assert re.search(r"UsageError: __main__ imported asyncore \(.*asyncore\.py\)", done.stderr)


def test_find_spec_goes_by_where_the_module_lives():
    with install_asyncore():
        assert importlib.util.find_spec("asyncore").name == "simnet.asyncore"


def test_the_installed_module_can_be_reloaded():
    # In a process of its own: the classes are other ones afterwards.
    program = (
        "import importlib, simnet; simnet.install_asyncore(); import asyncore; "
        "assert importlib.reload(asyncore) is asyncore is importlib.import_module('simnet.asyncore')"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_what_was_pickled_under_the_old_name_is_read_without_it():
    with install_asyncore():
        raised = pickle.dumps(importlib.import_module("asyncore").ExitNow("enough"))
    assert type(pickle.loads(raised)) is simnet.ExitNow


def test_simnet_alone_imports_none_of_them():
    program = "import sys, simnet; sys.exit(any(n in sys.modules for n in ('simnet.asyncore', 'asyncore')))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
