"""ClickHouse HTTP interface over chDB."""
