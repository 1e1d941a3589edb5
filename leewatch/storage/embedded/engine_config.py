"""The engine's configuration file: memory limits, and a user who may touch tables but nothing outside the database."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

TABLE_ENGINES = (
    *(f"{kind}MergeTree" for kind in ("", "Replacing", "Coalescing", "Summing", "Aggregating", "Collapsing")),
    *("VersionedCollapsingMergeTree", "Null", "Memory", "View", "MaterializedView", "Merge", "Set", "Join", "Buffer"),
    *("Atomic", "Log", "TinyLog", "StripeLog"),
)
_GRANTS = (
    "GRANT SELECT, INSERT, ALTER, CREATE DATABASE, CREATE TABLE, CREATE VIEW, CREATE TEMPORARY TABLE, "
    "DROP, TRUNCATE, OPTIMIZE, SHOW, CHECK, KILL QUERY, UNDROP TABLE ON *.*",
    *(f"GRANT TABLE ENGINE ON {engine}" for engine in TABLE_ENGINES),
    *(
        f"REVOKE INSERT, ALTER, CREATE TABLE, CREATE VIEW, CREATE DATABASE, DROP, TRUNCATE ON {database}.*"
        for database in ("system", "information_schema", "INFORMATION_SCHEMA")
    ),
)
# Settings that name files or hosts, or hold SQL as text: fixed, so that no query can point them at the machine or hide
# a call in a string. Format schemas come as text; rows of VALUES are literals.
_FIXED = {
    "format_schema_source": "string",
    "format_template_row": "",
    "format_template_resultset": "",
    "format_avro_schema_registry_url": "",
    "allow_experimental_eval_table_function": "0",
    "allow_introspection_functions": "0",
    "dialect": "clickhouse",
    "input_format_values_interpret_expressions": "0",
    "input_format_values_deduce_templates_of_expressions": "0",
    "additional_result_filter": "",
    "additional_table_filters": "{}",
}
_MERGE_NICE = 10
"""Merges give way to inserts and queries: on a busy machine they get a tenth of a processor each, on an idle one all of it."""
_MB = 1024 * 1024


def write(directory: Path, max_memory_mb: int) -> Path:
    """Writes `engine.xml` into the directory and returns its path.

    One query may take 70 % of the memory and no setting of a client lifts that; group-by and sort spill to disk at 25 %, so two
    large ones fit together. What is spilled may take ten times the memory on disk.
    """
    limit = max_memory_mb * _MB
    values = {
        **_FIXED,
        "max_memory_usage": str(int(limit * 0.7)),
        "max_bytes_before_external_group_by": str(limit // 4),
        "max_bytes_before_external_sort": str(limit // 4),
    }
    path = directory / "engine.xml"
    path.write_text(_xml(path, directory, limit, values), encoding="utf-8")
    return path


def _xml(path: Path, directory: Path, limit: int, values: dict[str, str]) -> str:
    grants = "".join(f"<query>{escape(grant)}</query>" for grant in _GRANTS)
    profile = "".join(f"<{name}>{escape(value)}</{name}>" for name, value in values.items())
    fixed = "".join(f"<{name}><const/></{name}>" for name in _FIXED)
    fixed += f"<max_memory_usage><min>1</min><max>{values['max_memory_usage']}</max></max_memory_usage>"
    inside = escape(str(directory))
    return (
        f"<clickhouse><users_config>{escape(str(path))}</users_config>"
        f"<user_files_path>{inside}/user_files/</user_files_path>"
        f"<max_server_memory_usage>{limit}</max_server_memory_usage>"
        f"<os_threads_nice_value_merge_mutate>{_MERGE_NICE}</os_threads_nice_value_merge_mutate>"
        "<background_merges_mutations_concurrency_ratio>1</background_merges_mutations_concurrency_ratio>"
        f"<mark_cache_size>{limit // 16}</mark_cache_size>"
        f"<max_temporary_data_on_disk_size>{limit * 10}</max_temporary_data_on_disk_size>"
        "<access_control_improvements><table_engines_require_grant>true</table_engines_require_grant>"
        "</access_control_improvements>"
        "<users><default><password></password><profile>default</profile><quota>default</quota>"
        f"<networks><ip>::/0</ip></networks><grants>{grants}</grants></default></users>"
        f"<profiles><default>{profile}<constraints>{fixed}</constraints></default></profiles>"
        "<quotas><default/></quotas></clickhouse>\n"
    )
