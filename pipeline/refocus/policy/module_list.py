"""`nn.ModuleList` for modules of one class, so that a type checker knows what is in it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Generic, TypeVar, overload

from torch import nn

M = TypeVar("M", bound=nn.Module)


class ModulesOf(nn.ModuleList, Generic[M]):
    """A `ModuleList` in every respect; only the types of its items are narrower."""

    if TYPE_CHECKING:

        def __iter__(self) -> Iterator[M]: ...
        @overload
        def __getitem__(self, idx: slice) -> "ModulesOf[M]": ...
        @overload
        def __getitem__(self, idx: int) -> M: ...
        def __getitem__(self, idx: int | slice) -> "M | ModulesOf[M]": ...
