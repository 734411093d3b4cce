"""The standard modules of whatever machine is current, as module-level names that code can hold on to.

Old code says ``socket.socket()`` where `socket` is a global of its module.  A `MachineModule` may stand in
that global's place: what it is asked for is looked up in the module of that name of the current transport, at
the moment of asking.  So one module runs on this computer and on every virtual host, and whoever replaces the
global, or an attribute of it, is heard.

Owns the indirection.  Does not own what the modules do: that is `Transport.modules`.
"""

from __future__ import annotations

from typing import Any

from .transport import current


class MachineModule:
    """Stands for a standard module; to read, set or delete an attribute is to do so with the current one's.

    Args:
        name: one of the attributes of `Transport.modules`, such as ``"socket"``.
    """

    __slots__ = ("_simnet_name",)

    _simnet_name: str

    def __init__(self, name: str) -> None:
        object.__setattr__(self, "_simnet_name", name)

    def __getattr__(self, name: str) -> Any:
        return getattr(module_of(self), name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(module_of(self), name, value)

    def __delattr__(self, name: str) -> None:
        delattr(module_of(self), name)

    def __dir__(self) -> list[str]:
        return dir(module_of(self))

    def __repr__(self) -> str:
        return f"<the module {self._simnet_name!r} of the current transport>"


def module_of(module: Any) -> Any:
    """What `module` stands for just now, for objects that stay on the machine on which they were made.

    A module that is no `MachineModule` stands for itself.
    """
    if isinstance(module, MachineModule):
        return getattr(current().modules, module._simnet_name)
    return module
