"""Choose episodes by a text, as in `outcome == "success" and 0.1 <= friction < 0.3 and failure in ["", "strike"]`.

The text is parsed and interpreted, never executed: `and or not`, comparisons (chained ones too), `in` and `not in` a
list, numbers, text in quotes, `+ - * /`, `abs()`, and names as `generators.tables` knows them. `return` is the column;
a name that is none in this language, for its "/" say, goes into backquotes. An episode that has no value for a name
meets no comparison with it.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import operator
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from generators.tables import column_of, columns_of
from sim.episode import Outcome
from sim.errors import GenbaError, unknown

if TYPE_CHECKING:
    import pyarrow as pa

Array = NDArray[Any]
Bools = NDArray[np.bool_]

MAX_LENGTH = 2000  # characters
MAX_DEPTH = 32  # of brackets and of operations inside operations

_OUTCOMES = tuple(outcome.name.lower() for outcome in Outcome)
_TOKENS = re.compile(r"""'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"|`([^`]*)`|(?<![\w.])(return)(?!\w)""")
_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_ARITHMETIC: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class QueryError(GenbaError, ValueError):
    """A query that says nothing that can be answered."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Value:
    """What an expression is for each episode.

    Attributes:
        values: (n,) or () numbers, or text as Python's own.
        known: (n,) or () where there is a value.
        what: how the query writes it.
    """

    values: Array
    known: Bools
    what: str

    @property
    def text(self) -> bool:
        """Whether it is text."""
        return self.values.dtype == object


def mask(table: pa.Table, text: str) -> Bools:
    """Find the episodes that a query asks for.

    Args:
        table: one row an episode, as `Dataset.table` returns it.
        text: the query.

    Returns:
        (len(table),) whether each episode is meant.

    Raises:
        QueryError: the text is no query, or compares what cannot be compared.
        DatasetError: a column that it names holds neither numbers nor text.
        UnknownNameError: it names no column or parameter, or no outcome.
    """
    tree, quoted = _parse(text)
    return _Reading(table, quoted).condition(tree)


def columns_used(names: Sequence[str], text: str) -> list[str]:
    """Return the columns that a query reads, so that no others need to be.

    Args:
        names: the table's columns.
        text: the query.

    Raises:
        QueryError: the text is no query.
        UnknownNameError: it names no column or parameter.
    """
    tree, quoted = _parse(text)
    found: dict[str, None] = {}
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Name | ast.Attribute):
            found |= dict.fromkeys(columns_of(names, _name(node, quoted)))
        else:
            pending += [c for c in ast.iter_child_nodes(node) if not (isinstance(node, ast.Call) and c is node.func)]
    return list(found)


def _name(node: ast.expr, quoted: dict[str, str]) -> str:
    """Return the dotted name that a node is."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        raise QueryError("a '.' belongs into a name, as in crane.friction, or into a number")
    return ".".join([quoted.get(node.id, node.id), *reversed(parts)])


def _parse(text: str) -> tuple[ast.expr, dict[str, str]]:
    """Return the query's tree and, for each name in it that stands for a quoted one, what that is."""
    if len(text) > MAX_LENGTH:
        raise QueryError(f"the query has {len(text)} characters, at most {MAX_LENGTH} are read")
    quoted: dict[str, str] = {}

    def stand_in(match: re.Match[str]) -> str:
        name = match[1] if match[1] is not None else match[2]
        if name is None:
            return match[0]
        quoted[f"quoted_{len(quoted)}_"] = name
        return f"quoted_{len(quoted) - 1}_"

    plain = _TOKENS.sub(stand_in, text.strip())
    if not plain:
        raise QueryError('the query is empty; write for example outcome == "success"')
    if _nesting(plain) > MAX_DEPTH:
        raise QueryError(f"the query's brackets are nested {_nesting(plain)} deep, at most {MAX_DEPTH} are read")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the text's style
            return ast.parse(plain, mode="eval").body, quoted
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        why = error.msg if isinstance(error, SyntaxError) else "it cannot be parsed"
        raise QueryError(f"{text!r} is no query: {why}; write for example {_EXAMPLE}") from None


_EXAMPLE = 'outcome == "success" and 0.1 <= friction < 0.3'


def _nesting(text: str) -> int:
    depth = deepest = 0
    for sign in text:
        depth += (sign in "([{") - (sign in ")]}")
        deepest = max(deepest, depth)
    return deepest


class _Reading:
    """One query's walk over its tree, for one table."""

    def __init__(self, table: pa.Table, quoted: dict[str, str]) -> None:
        self._table, self._quoted = table, quoted

    def condition(self, node: ast.expr, depth: int = 0) -> Bools:
        """Interpret a node that is true or false of each episode."""
        _check_depth(depth)
        match node:
            case ast.BoolOp(op=op, values=parts):
                join = np.logical_and if isinstance(op, ast.And) else np.logical_or
                return functools.reduce(join, [self.condition(part, depth + 1) for part in parts])
            case ast.UnaryOp(op=ast.Not(), operand=inner):
                return ~self.condition(inner, depth + 1)
            case ast.Compare(left=left, ops=ops, comparators=rights):
                sides = [left, *rights]
                pairs = zip(sides[:-1], ops, sides[1:], strict=True)
                return functools.reduce(np.logical_and, [self._compared(a, op, b, depth + 1) for a, op, b in pairs])
            case ast.Constant(value=bool(known)):
                return np.full(len(self._table), known)
            case _:
                raise QueryError(f"{self._text(node)} is no condition; write for example {_EXAMPLE}")

    def value(self, node: ast.expr, depth: int) -> _Value:
        """Interpret a node that is a number or text of each episode."""
        _check_depth(depth)
        match node:
            case ast.Constant(value=known):
                return self._constant(known)
            case ast.Name() | ast.Attribute():
                name = _name(node, self._quoted)
                values, known = column_of(self._table, name)
                return _Value(values, known, name)
            case ast.UnaryOp(op=ast.USub() | ast.UAdd() as op, operand=inner):
                sign = operator.neg if isinstance(op, ast.USub) else operator.pos
                return self._calculated(node, sign, [inner], depth)
            case ast.BinOp(left=left, op=op, right=right) if type(op) in _ARITHMETIC:
                return self._calculated(node, _ARITHMETIC[type(op)], [left, right], depth)
            case ast.Call(func=ast.Name(id="abs"), args=[inner], keywords=[]):
                return self._calculated(node, operator.abs, [inner], depth)
            case ast.Call():
                raise QueryError(f"{self._text(node)} calls a function; queries know only abs(x)")
            case _:
                raise QueryError(f"{self._text(node)} is not understood; expected a name, a number or text in quotes")

    def _constant(self, known: object) -> _Value:
        always = np.ones((), bool)
        if isinstance(known, str):
            return _Value(np.array(known, object), always, repr(known))
        if isinstance(known, bool) or not isinstance(known, (int, float)):
            raise QueryError(f"{known!r} is neither a number nor text")
        if isinstance(known, int) and not -(2**63) <= known < 2**64:
            raise QueryError("a number of the query has more than 64 bits")
        return _Value(np.array(known), always, repr(known))

    def _calculated(self, node: ast.expr, how: Callable[..., Any], inner: Sequence[ast.expr], depth: int) -> _Value:
        parts = [self.value(part, depth + 1) for part in inner]
        for part in parts:
            if part.text:
                raise QueryError(f"{part.what} is text, and {self._text(node)} calculates with it")
        with np.errstate(all="ignore"):
            values = np.asarray(how(*(part.values.astype(np.float64) for part in parts)))
        known = functools.reduce(np.logical_and, [part.known for part in parts])
        return _Value(values, known & ~np.isnan(values), self._text(node))

    def _compared(self, left: ast.expr, op: ast.cmpop, right: ast.expr, depth: int) -> Bools:
        if isinstance(op, (ast.In, ast.NotIn)):
            return self._within(left, right, depth, inside=isinstance(op, ast.In))
        if type(op) not in _COMPARISONS:
            raise QueryError("queries know no 'is'; write == or !=")
        a, b = self.value(left, depth), self.value(right, depth)
        if a.text and not isinstance(op, (ast.Eq, ast.NotEq)):
            raise QueryError(f"{a.what} is text, which is compared by ==, != and in")
        return self._where(_same_kind(a, b), _COMPARISONS[type(op)])

    def _within(self, left: ast.expr, right: ast.expr, depth: int, *, inside: bool) -> Bools:
        if not isinstance(right, (ast.List, ast.Tuple, ast.Set)):
            raise QueryError(f"'in' needs a list, as in {self._text(left)} in [1, 2], got {self._text(right)}")
        a = self.value(left, depth)
        parts = [(a, self.value(part, depth)) for part in right.elts]
        found = np.zeros(len(self._table), bool)
        for _, b in parts:
            found |= self._where(_same_kind(a, b), operator.eq)
        return found if inside else ~found & a.known

    def _where(self, sides: tuple[_Value, _Value], how: Callable[[Any, Any], Any]) -> Bools:
        a, b = sides
        found = np.asarray(how(a.values, b.values), bool) & a.known & b.known
        return np.array(np.broadcast_to(found, len(self._table)))

    def _text(self, node: ast.expr) -> str:
        """Return a node as the query writes it."""
        text = ast.unparse(node)
        for stand_in, name in self._quoted.items():
            text = text.replace(stand_in, name)
        return repr(text if len(text) <= 60 else f"{text[:60]} ...")


def _same_kind(a: _Value, b: _Value) -> tuple[_Value, _Value]:
    if a.text != b.text:
        words = [f"{v.what} is {'text' if v.text else 'a number'}" for v in (a, b)]
        raise QueryError(f"{' and '.join(words)}: they cannot be compared")
    for one, other in ((a, b), (b, a)):
        if one.what == "outcome" and not other.values.ndim and other.values.item() not in _OUTCOMES:
            raise unknown("outcome", other.values.item(), _OUTCOMES)
    return a, b


def _check_depth(depth: int) -> None:
    if depth > MAX_DEPTH:
        raise QueryError(f"the query's operations are nested more than {MAX_DEPTH} deep")
