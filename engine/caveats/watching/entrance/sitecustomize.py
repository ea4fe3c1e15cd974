"""Python reads this file when it starts in a program that `caveats-tui watch` runs.

It calls the sitecustomize that it hides, and waits until torch is imported and the process begins
to train; only then the instruments are loaded. Any Python 3 can read it; it imports nothing of
caveats until then.
"""

# mypy: ignore-errors
# No annotations: a Python that is too old must be able to read this and say so.

import gc
import json
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SETTINGS = "CAVEATS_WATCH"
OLDEST = (3, 11)


def tell(what, text=""):
    """Add a line to the notes of the watch; the program goes on whether or not that works."""
    try:
        line = json.dumps({"pid": os.getpid(), "what": what, "text": text}) + "\n"
        path = json.loads(os.environ[SETTINGS])["notes"]
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        try:
            os.write(descriptor, line.encode())
        finally:
            os.close(descriptor)
    except Exception:
        pass


def chain():
    """Run the sitecustomize that Python would have found without this one."""
    import importlib.machinery
    import importlib.util

    sys.path[:] = [p for p in sys.path if os.path.abspath(p or ".") != HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        return
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


class Arrival:
    """A finder that notices the import of torch, once, and changes nothing about it."""

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        import importlib.util

        sys.meta_path.remove(self)
        spec = importlib.util.find_spec("torch")
        if spec is not None and spec.loader is not None:
            spec.loader = Loader(spec.loader)
        return spec


class Loader:
    """Loads torch with its own loader, and then has the first training noticed."""

    def __init__(self, loader):
        self._loader = loader

    def __getattr__(self, name):
        return getattr(self._loader, name)

    def create_module(self, spec):
        return self._loader.create_module(spec)

    def exec_module(self, module):
        module.__spec__.loader = module.__loader__ = self._loader
        self._loader.exec_module(module)
        try:
            wait_for_training(module)
            tell("torch")
        except Exception as error:
            tell("problem", f"{type(error).__name__}: {error}")


def wait_for_training(torch):
    """Load the instruments when an optimizer is made or backward is called first."""
    kept = [
        (torch.optim.Optimizer, "__init__", torch.optim.Optimizer.__init__),
        (torch.autograd, "backward", torch.autograd.backward),
    ]
    owner_pid = os.getpid()

    def stub(owner, name, before):
        def first(*args, **kwargs):
            if getattr(owner, name) is first:
                for one, its, original in kept:
                    setattr(one, its, original)
                begin(owner_pid)
            return getattr(owner, name)(*args, **kwargs)

        first.__name__, first.__doc__ = name, before.__doc__
        setattr(owner, name, first)

    for one in kept:
        stub(*one)


def begin(owner_pid):
    if os.getpid() == owner_pid or not multiprocessing_worker():
        home = json.loads(os.environ[SETTINGS])["home"]
        sys.path.append(home)
        collects = gc.isenabled()
        gc.disable()  # all that torch has made would be looked through for the modules that come
        try:
            from caveats.watching.process import start

            start()
        except Exception as error:
            tell("problem", f"{type(error).__name__}: {error}")
        finally:
            if collects:
                gc.enable()
            if sys.path[-1:] == [home]:
                sys.path.pop()


def multiprocessing_worker():
    """Whether this is a worker of a DataLoader, which trains nothing."""
    data = sys.modules.get("torch.utils.data")
    return data is not None and data.get_worker_info() is not None


def main():
    if SETTINGS not in os.environ:
        return
    if sys.version_info < OLDEST:
        version = ".".join(map(str, sys.version_info[:2]))
        tell("problem", f"Python {version} is older than 3.11, which the instruments need")
    else:
        sys.meta_path.insert(0, Arrival())
        tell("python")
    chain()


if os.environ.get(SETTINGS) and __name__ == "sitecustomize":
    main()
