"""Turns a query of Athena's SQL into one of DuckDB's that has the same answer, or refuses it.

The translation itself is sqlglot's. Around it stands a fence: every part of a statement has to be in the
tables below, which hold what is known to mean the same on both sides, or what is brought to mean the same
here (division, `date_diff`, rounding casts, …). Whatever is not in them ends in a sentence, never in an
answer that Athena would not have given.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import sqlglot
from sqlglot import exp
from sqlglot.dialects import athena as _athena  # noqa: F401 - each of these loads itself at its first use,
from sqlglot.dialects import duckdb as _duckdb  # noqa: F401 - and two first queries at once find it half there
from sqlglot.errors import OptimizeError, ParseError, TokenError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify

from local.athena.errors import QueryFailed, Unsupported

ATHENA, DUCKDB = "athena", "duckdb"

# Relation → column → type as the catalogue spells it.
Schema = Mapping[str, Mapping[str, str]]

INTEGERS = {exp.DataType.Type[name] for name in ("TINYINT", "SMALLINT", "INT", "BIGINT")}
FLOATS = {exp.DataType.Type[name] for name in ("FLOAT", "DOUBLE")}
TEXTS = {exp.DataType.Type[name] for name in ("VARCHAR", "TEXT", "CHAR")}
TIMES = {exp.DataType.Type[name] for name in ("DATE", "TIMESTAMP")}
DECIMAL = exp.DataType.Type.DECIMAL
TYPES = INTEGERS | FLOATS | TEXTS | TIMES | {DECIMAL, exp.DataType.Type.BOOLEAN}

_PLAIN = """
    Select From Where Group Having Order Ordered Limit Offset Fetch Distinct With CTE TableAlias Subquery
    Union Intersect Except Values Tuple Join Table Alias Column Identifier Star Literal Null Boolean Paren
    Var DataType DataTypeParam Neg Add Sub Mul EQ NEQ GT GTE LT LTE And Or Not Is In Between Like Escape Case
    If Coalesce Nullif DPipe Concat Lower Upper Length Replace Abs Ceil Floor Sqrt Exp Ln Sign
    Count CountIf Sum Min Max Stddev StddevSamp StddevPop Variance VariancePop Corr Filter
    Window WindowSpec RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue
    NullSafeEQ NullSafeNEQ Exists Year Month Day Hour Minute Quarter Greatest Least AnyValue
    StrPosition Pow All Any
"""
PLAIN = {getattr(exp, name) for name in _PLAIN.split()}
MOST_DIGITS = 38
UNITS = {"SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "QUARTER", "YEAR"}
FIELDS = {"YEAR", "QUARTER", "MONTH", "DAY", "HOUR", "MINUTE", "SECOND"}


def parse(sql: str) -> exp.Expr:
    """The one statement in the text.

    Raises:
        QueryFailed: it is no SQL, or more than one statement.
    """
    try:
        found = [each for each in sqlglot.parse(sql, read=ATHENA) if each is not None]
    except (ParseError, TokenError) as error:
        raise _syntax(re.sub(r"\x1b\[\d+m", "", str(error)).splitlines()[0]) from error
    if len(found) != 1:
        raise _syntax(f"one statement is wanted, {len(found)} were given")
    return found[0]


def tables_of(query: exp.Expr) -> list[exp.Table]:
    """The tables and views that a query names; its own WITH names are none of them."""
    from sqlglot.optimizer.scope import traverse_scope

    scopes = traverse_scope(query)
    named = [each for scope in scopes for each in scope.tables if each.name not in scope.cte_sources]
    return [each for each in named if isinstance(each.this, exp.Identifier)]


def check(query: exp.Expr) -> None:
    """Raises Unsupported if a query holds something that may have another answer here."""
    for node in query.walk():
        _check_kind(node)


def translate(query: exp.Expr, schema: Schema) -> str:
    """DuckDB's text of a query that has been checked.

    Args:
        query: its tables are named as the relations in `schema`.
        schema: the columns of each relation.

    Raises:
        Unsupported: it holds something that may have another answer here.
        QueryFailed: it is wrong: a column that is not there, an ambiguous one …
    """
    prepared = _with_names(_with_decimals(query.copy()))
    try:
        resolved = qualify(prepared, schema=_for_sqlglot(schema), dialect=ATHENA, quote_identifiers=True)
        typed = annotate_types(resolved, schema=_for_sqlglot(schema), dialect=ATHENA)
    except OptimizeError as error:
        failed = QueryFailed(re.sub(r"\s+", " ", str(error)))
        failed.code = "COLUMN_NOT_FOUND"
        raise failed from error
    return str(_rewritten(typed).sql(dialect=DUCKDB))


def _for_sqlglot(schema: Schema) -> dict[str, object]:
    return {
        table: {name: _type_name(kind) for name, kind in columns.items()} for table, columns in schema.items()
    }


def _type_name(kind: str) -> str:
    return {"string": "VARCHAR", "integer": "INT", "float": "REAL"}.get(kind, kind.upper())


def _check_kind(node: exp.Expr) -> None:
    kind = type(node)
    if kind in PLAIN or kind in _REWRITES or kind in _CHECKS:
        if kind in _CHECKS:
            _CHECKS[kind](node)
        return
    shown = node.sql(dialect=ATHENA)
    name = node.name if isinstance(node, exp.Anonymous) else kind.__name__
    raise Unsupported(
        f"the local engine does not do {name} (in: {shown[:80]}); Athena itself may. "
        "docs/sql.md lists what it does."
    )


def _with_names(query: exp.Expr) -> exp.Expr:
    """Expressions without a name are called as Athena calls them: _col0, _col1 …"""
    first: Any = query
    while isinstance(first, exp.SetOperation):
        first = first.left
    if isinstance(first, exp.Select):
        for place, each in enumerate(first.expressions):
            if not isinstance(each, exp.Alias | exp.Column | exp.Star):
                each.replace(exp.alias_(each.copy(), f"_col{place}", quoted=True))
    return query


def _with_decimals(query: exp.Expr) -> exp.Expr:
    """1.5 is a decimal for Athena, 1.5e0 a double."""
    for literal in list(query.find_all(exp.Literal)):
        text = literal.this
        if not literal.is_string and "." in text and "e" not in text.lower():
            whole, _, part = text.partition(".")
            kind = f"DECIMAL({max(len(whole) + len(part), 1)}, {len(part)})"
            if len(whole) + len(part) > MOST_DIGITS:
                raise Unsupported(f"a decimal has at most {MOST_DIGITS} digits, {text} has more")
            literal.replace(exp.cast(exp.Literal.string(text), kind, dialect=ATHENA))
    return query


# -- what means the same only under a condition


def _check_join(join: exp.Join) -> None:
    if join.method or join.args.get("kind", "") not in ("", "INNER", "CROSS", "OUTER"):
        raise Unsupported(f"the local engine does not do a {join.method or join.args['kind']} join")


def _check_interval(interval: exp.Interval) -> None:
    unit = str(interval.args.get("unit") or "").upper()
    if unit not in UNITS:
        raise Unsupported(f"the local engine knows intervals of {', '.join(sorted(UNITS))}, not {unit}")


def _check_extract(extract: exp.Extract) -> None:
    field = extract.this.name.upper()
    if field not in FIELDS:
        raise Unsupported(f"the local engine extracts {', '.join(sorted(FIELDS))}, not {field}")


def _check_unit_of(units: set[str]) -> Callable[[exp.Expr], None]:
    def check(node: exp.Expr) -> None:
        unit = str(node.args.get("unit") or "").upper().strip("'")
        if unit not in units:
            raise Unsupported(f"the local engine knows {', '.join(sorted(units))} here, not {unit or 'none'}")

    return check


_TIME_FORMAT = re.compile(r"(?:%[YmdHMS]|[^%A-Za-z]|T)*")


def _check_format(node: exp.Expr) -> None:
    given = node.args["format"]
    if not (isinstance(given, exp.Literal) and _TIME_FORMAT.fullmatch(given.this)):
        raise Unsupported("the local engine knows the time formats %Y %m %d %H %i %s with signs between them")


_CHECKS: Mapping[type, Callable[..., None]] = {
    exp.Join: _check_join,
    exp.Interval: _check_interval,
    exp.Extract: _check_extract,
    exp.StrToTime: _check_format,
    exp.TimeToStr: _check_format,
    exp.TimestampTrunc: _check_unit_of(UNITS),
    exp.DateTrunc: _check_unit_of(UNITS),
    exp.DateDiff: _check_unit_of(UNITS),
    exp.DateAdd: _check_unit_of(UNITS),
}


# -- what is brought to mean the same


def _rewritten(node: exp.Expr) -> exp.Expr:
    """The expression with everything below it brought to mean the same; it keeps its type."""
    for child in list(node.iter_expressions()):
        changed = _rewritten(child)
        if changed is not child:
            child.replace(changed)
    rewrite = _REWRITES.get(type(node))
    if rewrite is None:
        return node
    made = rewrite(node)
    made.type = node.type
    return made


def _kind(node: exp.Expr) -> Any:
    """The type of an expression.

    Raises:
        Unsupported: it is not known, and the answer would depend on it.
    """
    found = node.type.this if node.type else None
    if found not in TYPES and found != exp.DataType.Type.NULL:
        shown = node.sql(dialect=ATHENA)
        raise Unsupported(f"the local engine cannot tell the type of {shown[:80]}; cast it")
    return found


def _divide(node: exp.Expr) -> exp.Expr:
    left, right = node.this, node.expression
    kinds = {_kind(left), _kind(right)}
    if kinds & FLOATS:
        return _raw("(CAST(@a AS DOUBLE) / CAST(@b AS DOUBLE))", a=left, b=right)
    if DECIMAL in kinds:
        raise Unsupported(
            "the local engine does not divide decimals, whose scale Athena cuts; cast to double"
        )
    return _raw("(CASE WHEN (@b) = 0 THEN error('Division by zero') ELSE (@a) // (@b) END)", a=left, b=right)


def _remainder(node: exp.Expr) -> exp.Expr:
    left, right = node.this, node.expression
    if not {_kind(left), _kind(right)} <= INTEGERS:
        raise Unsupported("the local engine does % on whole numbers only")
    return _raw("(CASE WHEN (@b) = 0 THEN error('Division by zero') ELSE (@a) % (@b) END)", a=left, b=right)


def _cast(node: Any) -> exp.Expr:
    source, target = _kind(node.this), node.to.this
    if target not in TYPES:
        raise Unsupported(f"the local engine does not cast to {node.to.sql(dialect=ATHENA)}")
    call = "TRY_CAST" if isinstance(node, exp.TryCast) else "CAST"
    to = node.to.sql(dialect=DUCKDB)
    if isinstance(node.this, exp.Literal) and target == DECIMAL:
        return node  # a number as it was typed
    if source in FLOATS and target in INTEGERS:  # half away from zero, as Java rounds
        return _raw(f"{call}(round(@a) AS {to})", a=node.this)
    if source in FLOATS and target in TEXTS:
        raise Unsupported("the local engine does not cast a double to text; round and cast to decimal first")
    if source == exp.DataType.Type.TIMESTAMP and target in TEXTS:
        return _raw("strftime(@a, '%Y-%m-%d %H:%M:%S.%g')", a=node.this)
    if source in TEXTS and target in INTEGERS:  # '1.5' is no bigint for Athena; DuckDB would round it
        whole = "CASE WHEN regexp_full_match(@a, '[+-]?[0-9]+') THEN @a"
        wrong = "NULL" if call == "TRY_CAST" else "error('Cannot cast ' || @a || ' to a whole number')"
        return _raw(f"CAST({whole} WHEN @a IS NULL THEN NULL ELSE {wrong} END AS {to})", a=node.this)
    return node


def _average(node: exp.Expr) -> exp.Expr:
    if _kind(node.this) == DECIMAL:
        raise Unsupported("the local engine does not average decimals, which Athena rounds; cast to double")
    return node


def _substring(node: exp.Expr) -> exp.Expr:
    start, length = node.args.get("start"), node.args.get("length")
    if not (isinstance(start, exp.Literal) and int(start.this) > 0):
        raise Unsupported("the local engine does substr from a positive position, written as a number")
    ahead = f", {length.sql(dialect=DUCKDB)}" if length is not None else ""
    return _raw(f"substr(@a, {start.this}{ahead})", a=node.this)


def _round(node: exp.Expr) -> exp.Expr:
    digits = node.args.get("decimals")
    if digits is not None and not isinstance(digits, exp.Literal):
        raise Unsupported("the local engine rounds to a number of digits that is written as a number")
    return node


def _difference(node: exp.Expr) -> exp.Expr:
    """Complete units between two times; DuckDB's own date_diff counts boundaries."""
    unit = str(node.args["unit"]).lower().strip("'")
    for each in (node.this, node.expression):
        if _kind(each) not in TIMES:
            raise Unsupported("the local engine takes the difference of dates and timestamps; cast the text")
    inner = f"date_sub('{unit}', CAST(@b AS TIMESTAMP), CAST(@a AS TIMESTAMP))"
    return _raw(inner, a=node.this, b=node.expression)


def _truncate_time(node: exp.Expr) -> exp.Expr:
    unit = str(node.args["unit"]).lower().strip("'")
    kind = _kind(node.this)
    if kind not in TIMES:
        raise Unsupported("the local engine truncates dates and timestamps; cast the text")
    to = "DATE" if kind == exp.DataType.Type.DATE else "TIMESTAMP"
    return _raw(f"CAST(date_trunc('{unit}', @a) AS {to})", a=node.this)


def _add_time(node: exp.Expr) -> exp.Expr:
    unit, count = str(node.args["unit"]).strip("'"), node.expression
    kind = _kind(node.this)
    if kind not in TIMES:
        raise Unsupported("the local engine adds to dates and timestamps; cast the text")
    if kind == exp.DataType.Type.DATE and unit.upper() in ("HOUR", "MINUTE", "SECOND"):
        raise Unsupported(f"a date has no {unit.lower()}s; cast it to timestamp")
    to = "DATE" if kind == exp.DataType.Type.DATE else "TIMESTAMP"
    return _raw(f"CAST(@a + (@b) * INTERVAL '1' {unit} AS {to})", a=node.this, b=count)


def _plus_or_minus(node: exp.Expr) -> exp.Expr:
    """A date and days are a date again."""
    sides = (node.this, node.expression)
    if any(isinstance(each, exp.Interval) for each in sides):
        time = sides[0] if isinstance(sides[1], exp.Interval) else sides[1]
        if _kind(time) == exp.DataType.Type.DATE:
            return exp.cast(node, "date", copy=True)
    elif any(each.type and each.type.this in TIMES for each in sides):
        raise Unsupported("the local engine adds intervals to times; take differences with date_diff")
    return node


def _percentile(node: exp.Expr) -> exp.Expr:
    if _kind(node.this) not in FLOATS:
        raise Unsupported("the local engine takes approx_percentile of a double; cast the argument")
    quantile = node.args["quantile"]
    quantile = quantile.this if isinstance(quantile, exp.Cast) else quantile
    if not isinstance(quantile, exp.Literal):
        raise Unsupported("the local engine takes approx_percentile at one percentage, written as a number")
    return _raw(f"quantile_disc(@a, {quantile.this})", a=node.this)


def _by(function: str) -> Callable[[exp.Expr], exp.Expr]:
    """The value where another is largest or smallest; a NULL there is an answer, too."""
    return lambda node: _raw(f"{function}(@a, @b)", a=node.this, b=node.expression)


def _day_of_week(node: exp.Expr) -> exp.Expr:
    return _raw("isodow(@a)", a=node.this)


def _text_of_time(node: exp.Expr) -> exp.Expr:
    return _raw(f"strftime(@a, '{node.args['format'].this}')", a=node.this)


def _time_of_text(node: exp.Expr) -> exp.Expr:
    return _raw(f"strptime(@a, '{node.args['format'].this}')", a=node.this)


def _trim(node: exp.Expr) -> exp.Expr:
    if node.args.get("expression") is not None or node.args.get("position"):
        raise Unsupported("the local engine trims blanks from both sides only")
    return node


def _raw(template: str, **parts: exp.Expr) -> exp.Expr:
    """DuckDB's text with expressions put in for @a and @b."""
    texts = {name: part.sql(dialect=DUCKDB) for name, part in parts.items()}
    return exp.Var(this=re.sub(r"@(\w)\b", lambda found: texts[found[1]], template))


def _same_family(*names: str) -> Callable[[exp.Expr], exp.Expr]:
    """Athena compares like with like; DuckDB would read a text as a number."""

    def check(node: exp.Expr) -> exp.Expr:
        sides = [node.this, *(part for name in names for part in _parts(node.args.get(name)))]
        families = {_family(each) for each in sides} - {None}
        if len(families) > 1:
            raise _mismatch(node, sorted(str(each) for each in families))
        return node

    return check


def _texts_only(node: exp.Expr) -> exp.Expr:
    sides = node.expressions or [node.this, node.expression]
    families = {_family(each) for each in sides} - {None, "text"}
    if families:
        raise _mismatch(node, sorted(str(each) for each in families))
    return node


def _parts(value: object) -> list[exp.Expr]:
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, exp.Expr) and not isinstance(value, exp.Query) else []


def _family(node: exp.Expr) -> str | None:
    kind = node.type.this if node.type else None
    families = (("number", INTEGERS | FLOATS | {DECIMAL}), ("text", TEXTS), ("time", TIMES))
    return next((name for name, kinds in families if kind in kinds), None)


def _mismatch(node: exp.Expr, families: list[str]) -> QueryFailed:
    error = QueryFailed(
        f"{' and '.join(families)} do not go together in {node.sql(dialect=ATHENA)[:80]}; cast one"
    )
    error.code = "TYPE_MISMATCH"
    return error


_REWRITES: Mapping[type, Callable[[exp.Expr], exp.Expr]] = {
    exp.Div: _divide,
    exp.Mod: _remainder,
    exp.Cast: _cast,
    exp.TryCast: _cast,
    exp.Date: lambda node: _cast(exp.cast(node.this, "date")),
    exp.Substring: _substring,
    exp.Round: _round,
    exp.ApproxQuantile: _percentile,
    exp.ArgMax: _by("arg_max_null"),
    exp.ArgMin: _by("arg_min_null"),
    exp.DayOfWeekIso: _day_of_week,
    exp.Trim: _trim,
    exp.Avg: _average,
    exp.DPipe: _texts_only,
    exp.Concat: _texts_only,
    exp.Between: _same_family("low", "high"),
    exp.In: _same_family("expressions"),
    **{kind: _same_family("expression") for kind in (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)},
    exp.DateDiff: _difference,
    exp.DateAdd: _add_time,
    exp.TimestampTrunc: _truncate_time,
    exp.DateTrunc: _truncate_time,
    exp.TimeToStr: _text_of_time,
    exp.StrToTime: _time_of_text,
    exp.Add: _plus_or_minus,
    exp.Sub: _plus_or_minus,
}


def _syntax(text: str) -> QueryFailed:
    error = QueryFailed(text)
    error.code = "SYNTAX_ERROR"
    return error
