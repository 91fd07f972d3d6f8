"""Writes ``docs/sources.md`` from the source declarations: which files, which columns, how cleaned, what is refused."""

from __future__ import annotations

from collections.abc import Mapping

from qiaomen.registry.cleaning import CLEANERS, default_cleaner
from qiaomen.registry.sources import CONTENT, ColumnRule, Condition, FileRule, Source, TableRule
from qiaomen.vocab import BASIS_LABELS, Table

_HEAD = """# 数据来源

本页由来源声明写成（`qiaomen/catalog/data/sources/*.yaml`），请勿手改；改声明后运行 `python scripts/write_source_docs.py`。
银行可在覆盖目录的 `sources/` 下放自己的 YAML，写法相同，不需要写代码。

- 文件名不含扩展名的式样适用于 CSV、TSV、TXT、XLSX、Parquet，前三种可再压缩为 `.gz`。
- 编码为 UTF-8（可带 BOM）、UTF-16 或 GB18030，分隔符自动辨认；中英文列名都可以，列的次序不限。
- 列名在首行，也可以在只有一格的标题行之下（前 10 行内）；XLSX 读第一个有表格的工作表。列名末尾写（万元）、（亿元）的，数字按该单位读。
- 一格最多 32,767 字（正文除外），更长的整行拒收。
- 引用企业的列任选其一：`uscc`、`company_no`、`stock_code`、名称；靠前的优先，编码有误时改用靠后的并计入提示。
- 每一行要么落库，要么是重复，要么进入拒收清单（文件、行、列、原因）：读取 = 新增 + 更新 + 未变 + 重复 + 拒收。
- 同一次装载中主键相同而内容不同的行，以后出现的为准，另一行拒收并注明（`duplicates: first` 的以先出现的为准）。
- `on_bad: null` 的列遇到不合规的值时该格留空、行照常落库，并计入提示；其他列遇到不合规的值则整行拒收。
- 一个文件供给多张表时，每张表各自计数；拆分的列（如职务）按拆分后的行计数。
"""


OWN_SUPPLIER = "银行自备"

_PUBLIC = """
# 公开数据样本

以下来源用于在公开数据上测试本软件（[real-run.md](real-run.md)），银行不必准备。
"""


def source_docs(sources: Mapping[str, Source], tables: Mapping[str, Table]) -> str:
    """Return the page as Markdown."""
    parts = [_HEAD, "## 清洗\n\n| 名称 | 得到 | 说明 |\n| --- | --- | --- |"]
    parts += [f"| `{name}` | {cleaner.type} | {cleaner.doc} |" for name, cleaner in CLEANERS.items()]
    own = [sources[code] for code in sorted(sources) if sources[code].supplier == OWN_SUPPLIER]
    public = [sources[code] for code in sorted(sources) if sources[code].supplier != OWN_SUPPLIER]
    parts += [_overview(own)]
    parts += [_source(source, tables) for source in own]
    parts += [_PUBLIC, *(_source(source, tables) for source in public)]
    return "\n".join(parts) + "\n"


def _overview(sources: list[Source]) -> str:
    """Return the table of what a bank brings: file names, columns that must be there, purpose."""
    lines = [
        f"\n## 银行准备的文件（{len(sources)} 种）\n",
        "最少是 `companies`、`customers`、`institutions`、`staff` 四种；其余有多少用多少，缺的能力给出空结果。\n",
        "| 来源 | 文件名 | 必填列 | 用途 |",
        "| --- | --- | --- | --- |",
    ]
    for source in sources:
        rule = next(rule for rule in source.files if rule.tables)
        names = "、".join(f"`{pattern}`" for pattern in rule.patterns)
        needed = "、".join(
            _spoken(name, column) for name, column in rule.tables[0].columns.items() if column.required
        )
        lines.append(
            f"| [{source.code}](#{source.code}{source.name_zh}) {source.name_zh} | {names} | {needed} | {source.purpose} |"
        )
    return "\n".join(lines)


def _spoken(name: str, column: ColumnRule) -> str:
    """Return the Chinese header of a column; for a reference the ways to name the company."""
    if not column.ref:
        return next((header for header in column.headers if not header.isascii()), name)
    ways = [next((h for h in part.headers if not h.isascii()), "") for part in column.ref if part.headers]
    return " 或 ".join(way for way in ways if way)


def _source(source: Source, tables: Mapping[str, Table]) -> str:
    parts = [
        f"\n## {source.code}：{source.name_zh}\n",
        source.doc,
        "",
        _governance(source),
    ]
    parts += [_file(rule, tables) for rule in source.files]
    return "\n".join(parts)


def _governance(source: Source) -> str:
    says = f"供方：{source.supplier}。授权：{source.authorisation}。用途：{source.purpose}。"
    return f"{says}留存：{source.retention}，自装载起 {source.retention_days} 天。{_basis(source)}"


def _basis(source: Source) -> str:
    if source.lawful_basis is None:
        return "不含个人信息。"
    return f"处理个人信息的依据：{BASIS_LABELS[source.lawful_basis]}。"


def _file(rule: FileRule, tables: Mapping[str, Table]) -> str:
    names = "、".join(f"`{pattern}`" for pattern in rule.patterns)
    mode = "全量（缺少的行终止）" if rule.mode == "snapshot" else "增量"
    if rule.ignored is not None:
        return f"\n文件 {names}：不装载。{rule.ignored}。"
    parts = [f"\n文件 {names}（{mode}）"]
    if rule.format.document:
        parts.append("\n一个文件是一篇正文，列为 文件名、首行、正文。")
    parts += [f"\n拒收：{test.reason}（{_conditions(test.where)}）。" for test in rule.reject]
    parts += [_table(part, tables[part.table]) for part in rule.tables]
    return "\n".join(parts)


def _table(rule: TableRule, table: Table) -> str:
    key = "、".join("整行内容" if part == CONTENT else f"`{part}`" for part in rule.key)
    lines = [f"\n表 `{rule.table}`，主键 {key}。"]
    if rule.where:
        lines.append(f"只取 {_conditions(rule.where)} 的行。")
    if rule.split:
        lines.append(f"`{rule.split.header}` 拆成多行。")
    lines.append("\n| 列 | 取自 | 清洗 | 必填 | 不合规时 |\n| --- | --- | --- | --- | --- |")
    lines += [_column(name, column, table) for name, column in rule.columns.items()]
    lines += [f"\n拒收：{law.reason}。" for law in (*rule.differ, *rule.ordered, *rule.any_of)]
    return "\n".join(lines)


def _column(name: str, column: ColumnRule, table: Table) -> str:
    if column.ref:
        parts = []
        for part in column.ref:
            value = "、".join(f"`{header}`" for header in part.headers) or f"`{part.template}`"
            parts.append(f"{part.scheme}: {value}")
        origin, clean = "；".join(parts), "引用"
    elif column.headers:
        origin = "、".join(f"`{header}`" for header in column.headers)
        clean = "、".join(column.clean or (default_cleaner(table.column(name).type),))
    elif column.json_keys:
        origin, clean = "、".join(f"`{header}`" for header in column.json_keys.values()), "JSON"
    else:
        origin = "行的序号" if column.ordinal else f"`{column.template or column.const}`"
        clean = "固定" if column.const is not None else ""
    if column.one_of:
        clean += "（" + "/".join([*column.mapping, *column.one_of][:20]) + "）"
    bad = "留空" if column.on_bad == "null" else "拒收"
    row = [f"`{name}`", origin, clean, "是" if column.required else "", bad]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |"


def _conditions(tests: tuple[Condition, ...]) -> str:
    words = []
    for test in tests:
        what = "、".join(test.one_of) or test.matches or ("空" if test.empty else "非空")
        words.append(f"`{test.headers[0]}` {'不' if test.negate else ''}属 `{what}`")
    return "且".join(words)
